// request_head: what RFC 9112 asks of a request's head beyond its grammar, with the answers that Go's net/http gives.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>

#include "http/message.hpp"

namespace http {

// The answer to a request that must not be served: no Host or two, another Expect than 100-continue, another
// Transfer-Encoding than chunked.
[[nodiscard]] std::optional<response> check_head(const boost::beast::http::request_header<>& head);

}  // namespace http
