#include "net/endpoint.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "net/address.hpp"

namespace net {
namespace {

std::optional<address> parse_host(std::string_view host) {
  if (host.empty()) return address::any_v4();
  if (host.front() != '[') return host.find(':') == std::string_view::npos ? address::parse(host) : std::nullopt;
  if (host.back() != ']' || host.size() < 2) return std::nullopt;
  const auto inner = host.substr(1, host.size() - 2);
  return inner.find(':') == std::string_view::npos ? std::nullopt : address::parse(inner);
}

}  // namespace

std::optional<endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto ip = parse_host(text.substr(0, colon));
  const auto port = base::parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!ip || !port) return std::nullopt;
  return endpoint{*ip, *port};
}

std::string to_string(const endpoint& e) {
  const auto ip = e.ip.to_string();
  return (e.ip.is_v6() ? "[" + ip + "]" : ip) + ":" + std::to_string(e.port);
}

socket_address to_sockaddr(const endpoint& e) {
  socket_address made;
  if (e.ip.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(e.port);
    std::memcpy(&in.sin_addr, e.ip.data(), sizeof in.sin_addr);
    std::memcpy(&made.storage, &in, sizeof in);
    made.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(e.port);
    std::memcpy(&in.sin6_addr, e.ip.data(), sizeof in.sin6_addr);
    std::memcpy(&made.storage, &in, sizeof in);
    made.size = sizeof in;
  }
  return made;
}

std::optional<endpoint> from_sockaddr(const socket_address& from) {
  if (from.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from.storage, sizeof in);
    return endpoint{address::v4(&in.sin_addr), ntohs(in.sin_port)};
  }
  if (from.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &from.storage, sizeof in);
    return endpoint{address::v6(&in.sin6_addr), ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace net
