// stream_address: where a stream socket listens or connects to: an IP endpoint, the path of a UNIX socket, or a port of
// virtual sockets (AF_VSOCK), which connect a virtual machine and its host.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "net/endpoint.hpp"

namespace net {

inline constexpr std::size_t longest_unix_path = 107;  // bytes that the kernel's address holds, without its last zero

struct unix_path {
  std::string path;  // up to longest_unix_path bytes; relative paths are the caller's business

  auto operator<=>(const unix_path&) const = default;
};
[[nodiscard]] bool is_unix_path(std::string_view text);  // an absolute path that fits

struct vsock_address {
  std::uint32_t cid = 0;
  std::uint32_t port = 0;

  auto operator<=>(const vsock_address&) const = default;
};

using stream_address = std::variant<endpoint, unix_path, vsock_address>;
[[nodiscard]] std::string to_string(const stream_address& a);  // "127.0.0.1:80", "unix:/run/x.sock", "vsock:2:8989"
[[nodiscard]] bool fits(const stream_address& a);              // false: a UNIX path that is too long
// Truncates a path that does not fit; check it first.
[[nodiscard]] socket_address to_sockaddr(const stream_address& a);

}  // namespace net
