// stream_address: where a stream socket listens or connects to, beyond IP: a UNIX socket's path, or a port of virtual
// sockets (AF_VSOCK), between a virtual machine and its host.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <variant>

#include "net/endpoint.hpp"

namespace net {

struct unix_path {
  std::string path;  // absolute, shorter than the kernel's limit of 108 bytes

  auto operator<=>(const unix_path&) const = default;
};
[[nodiscard]] bool is_unix_path(std::string_view text);  // fit for unix_path

struct vsock_address {
  std::uint32_t cid = 0;
  std::uint32_t port = 0;

  auto operator<=>(const vsock_address&) const = default;
};

using stream_address = std::variant<endpoint, unix_path, vsock_address>;
[[nodiscard]] std::string to_string(const stream_address& a);  // "127.0.0.1:80", "unix:/run/x.sock", "vsock:2:8989"
[[nodiscard]] socket_address to_sockaddr(const stream_address& a);

}  // namespace net
