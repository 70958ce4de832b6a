// tap_values: the values of the flags that describe the tap interface. vm-switch takes these flags, and network-setup,
// which passes them on: both check them by the same rules. Each function returns the value, or an error with the
// reason. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/mac_address.hpp"

namespace links {

// Of one interface: not a group address, and not all zeros.
[[nodiscard]] base::result<net::mac_address> tap_mac(std::string_view text);
// An IPv4 network in CIDR notation.
[[nodiscard]] base::result<std::string> tap_subnet(std::string_view text);
// In bytes, 576 (RFC 791: what each host must accept) to 65521 (the most that fits a frame of 65535 bytes).
[[nodiscard]] base::result<std::uint16_t> tap_mtu(std::string_view text);
// In packets, 1 to 100000.
[[nodiscard]] base::result<std::int64_t> tap_queue_length(std::string_view text);

}  // namespace links
