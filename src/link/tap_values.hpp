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

inline constexpr std::uint16_t least_mtu = 576;    // RFC 791: what each host must accept
inline constexpr std::uint16_t most_mtu = 65'520;  // host-switch's, too
inline constexpr std::int64_t most_queue_length = 100'000;

// A name that an interface of the engine's namespace can have: 1 to 15 printable bytes, not one that has a meaning to
// the kernel ("tap%d", "..", "all"), nor that of another interface there (lo, veth-rd-ns).
[[nodiscard]] base::result<std::string> tap_name(std::string_view text);
// Of one interface: not a group address, and not all zeros.
[[nodiscard]] base::result<net::mac_address> tap_mac(std::string_view text);
// An IPv4 network in CIDR notation.
[[nodiscard]] base::result<std::string> tap_subnet(std::string_view text);
// In bytes, least_mtu to most_mtu.
[[nodiscard]] base::result<std::uint16_t> tap_mtu(std::string_view text);
// In packets, 1 to most_queue_length.
[[nodiscard]] base::result<std::int64_t> tap_queue_length(std::string_view text);

}  // namespace links
