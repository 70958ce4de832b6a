// flag_values: what values of flags may look like. Each function makes a value of the text that a user has typed, or
// says why it is none; program::flag_set::add takes them as they are. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace program {

[[nodiscard]] base::result<net::address> ip_address(std::string_view text);  // of either family, not the wildcard
[[nodiscard]] base::result<net::address> ipv4_address(std::string_view text);
[[nodiscard]] base::result<net::endpoint> endpoint(
    std::string_view text);  // IP:PORT, or :PORT for any address; not port 0
[[nodiscard]] base::result<net::endpoint> loopback_endpoint(std::string_view text);  // on 127.0.0.0/8 or ::1
[[nodiscard]] base::result<std::uint16_t> port(std::string_view text);               // not 0
[[nodiscard]] base::result<int> buffer_size(std::string_view text);                  // in bytes, 1 GiB at most
[[nodiscard]] base::result<std::string> absolute_path(std::string_view text);
[[nodiscard]] base::result<std::string> socket_path(std::string_view text);  // absolute, as long as the kernel takes it
[[nodiscard]] base::result<std::string> own_socket_path(std::string_view text);  // the same, for os::unix_listener

}  // namespace program
