// host_header: the Host header, read as untrusted text.
#pragma once

#include <optional>
#include <string_view>

namespace http {

// The value without port and brackets; nullopt if it is neither a name nor an address.
[[nodiscard]] std::optional<std::string_view> host_of(std::string_view host_header);

}  // namespace http
