// request_head: the rules of RFC 9112 for a request's head beyond its grammar, with the answers of Go's net/http. Pure.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>

#include "http/message.hpp"

namespace http {

// The answer to a request that must not be served: its target is neither a path nor a URL; it has no Host, or Host or
// Origin twice; an Expect other than 100-continue; or a Transfer-Encoding other than chunked, or any in HTTP/1.0. The
// parser refuses versions other than HTTP/1.0 and HTTP/1.1.
[[nodiscard]] std::optional<response> check_head(const boost::beast::http::request_header<>& head);

// Whether the client waits for "100 Continue" before it sends the body.
[[nodiscard]] bool expects_continue(const boost::beast::http::request_header<>& head);

// The head of a request that check_head() passed, without its body. A target that is a URL, as a proxy gets it, is
// taken apart: its host replaces the Host header (RFC 9112 3.2.2). The values of a header that comes several times are
// joined by ", " (RFC 9110 5.3), so that none hides another.
[[nodiscard]] request read_head(const boost::beast::http::request_header<>& head);

}  // namespace http
