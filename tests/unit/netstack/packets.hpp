// Whole packets for tests of the netstack, and numbers as bytes.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "netstack/ipv4.hpp"

namespace netstack {

using bytes = std::vector<std::uint8_t>;

inline constexpr ipv4::address vm{0xc0a87f02};       // 192.168.127.2
inline constexpr ipv4::address gateway{0xc0a87f01};  // 192.168.127.1

inline bytes text(std::string_view s) { return {s.begin(), s.end()}; }

inline bytes counting(std::size_t size) {
  bytes made(size);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return made;
}

inline bytes make_packet(ipv4::header_fields fields, const bytes& payload) {
  bytes made(ipv4::header_size + payload.size());
  ipv4::write_header(made, fields, payload.size());
  std::ranges::copy(payload, made.begin() + ipv4::header_size);
  return made;
}

inline bytes to_bytes(bytes_view view) { return {view.begin(), view.end()}; }

}  // namespace netstack
