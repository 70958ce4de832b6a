// request_text: a request as the bytes that a client sends. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/message.hpp"

namespace http {

// With Host, User-Agent and Content-Length unless the request has its own. Fails on a method or target that is empty or
// has a space, and on control characters in any part but the body: they would begin another line.
[[nodiscard]] base::result<std::string> to_text(const request& r, std::string_view host);

}  // namespace http
