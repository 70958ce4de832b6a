// flag_values: parsers for the values of flags. Each function converts the user's text to a value, or returns an error
// with the reason. program::flag_set::add accepts them directly. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace program {

// Of either family, not the wildcard.
[[nodiscard]] base::result<net::address> ip_address(std::string_view text);
[[nodiscard]] base::result<net::address> ipv4_address(std::string_view text);
// IP:PORT, or :PORT for any address; not port 0.
[[nodiscard]] base::result<net::endpoint> endpoint(std::string_view text);
// On 127.0.0.0/8 or ::1.
[[nodiscard]] base::result<net::endpoint> loopback_endpoint(std::string_view text);
// Not 0.
[[nodiscard]] base::result<std::uint16_t> port(std::string_view text);
// In bytes, 1 GiB at most.
[[nodiscard]] base::result<int> buffer_size(std::string_view text);
// As Go writes one: "10s", "500ms", "1m30s"; units h, m, s, ms; a day at most, not 0.
[[nodiscard]] base::result<std::chrono::milliseconds> duration(std::string_view text);
// Any path but an empty one.
[[nodiscard]] base::result<std::string> path(std::string_view text);
[[nodiscard]] base::result<std::string> absolute_path(std::string_view text);
// Absolute, and short enough for a socket address.
[[nodiscard]] base::result<std::string> socket_path(std::string_view text);
// The same, for os::claimed_unix_path.
[[nodiscard]] base::result<std::string> own_socket_path(std::string_view text);

}  // namespace program
