// request_head: the rules of RFC 9112 for a request's head beyond its grammar, with the answers of Go's net/http.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>

#include "http/message.hpp"

namespace http {

// The answer to a request that must not be served: it has no Host or two, an Expect other than 100-continue, or a
// Transfer-Encoding other than chunked.
[[nodiscard]] std::optional<response> check_head(const boost::beast::http::request_header<>& head);

}  // namespace http
