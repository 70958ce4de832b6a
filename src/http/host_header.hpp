// The Host header, read as untrusted text.
#pragma once

#include <optional>
#include <string_view>

namespace http {

// The value without port and brackets: a name or an address; nullopt where it is neither in form.
[[nodiscard]] std::optional<std::string_view> host_of(std::string_view host_header);

}  // namespace http
