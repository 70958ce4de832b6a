// protocol: the transport of a port. SCTP exists only so that the status can show it as unsupported.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace net {

enum class protocol : std::uint8_t { tcp, udp, sctp };

[[nodiscard]] constexpr std::string_view to_string(protocol p) {
  switch (p) {
    case protocol::tcp: return "tcp";
    case protocol::udp: return "udp";
    case protocol::sctp: break;
  }
  return "sctp";
}

// Exactly "tcp", "udp" or "sctp": convert to lower case first if the peer may write either.
[[nodiscard]] constexpr std::optional<protocol> parse_protocol(std::string_view text) {
  for (const auto p : {protocol::tcp, protocol::udp, protocol::sctp})
    if (text == to_string(p)) return p;
  return std::nullopt;
}

}  // namespace net
