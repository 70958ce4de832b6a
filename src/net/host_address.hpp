// parse_host_address: the address on the host at which a port is published, as engines and their tools write it: an
// empty text is every address, and "localhost" is 127.0.0.1.
#pragma once

#include <optional>
#include <string_view>

#include "net/address.hpp"

namespace net {

// std::nullopt if the text is not an address.
[[nodiscard]] std::optional<address> parse_host_address(std::string_view text);

}  // namespace net
