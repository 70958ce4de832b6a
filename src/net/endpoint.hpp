// endpoint: an address and a port, and its two other forms: "ip:port" text in the format of Go's net package, and the
// kernel's sockaddr.
#pragma once

#include <sys/socket.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"

namespace net {

struct endpoint {
  address ip;
  std::uint16_t port = 0;

  auto operator<=>(const endpoint&) const = default;
};

// "127.0.0.1:80", "[::1]:80", and ":80" as the IPv4 wildcard. Port 0 is accepted ("any"); names are not.
[[nodiscard]] std::optional<endpoint> parse_endpoint(std::string_view text);
[[nodiscard]] std::string to_string(const endpoint& e);

// The kernel's form and back; from_sockaddr returns nullopt for families other than AF_INET and AF_INET6.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
[[nodiscard]] socket_address to_sockaddr(const endpoint& e);
[[nodiscard]] std::optional<endpoint> from_sockaddr(const socket_address& address);

}  // namespace net
