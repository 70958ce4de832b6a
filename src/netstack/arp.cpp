#include "netstack/arp.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/mac_address.hpp"
#include "netstack/bytes.hpp"
#include "netstack/ethernet.hpp"

namespace netstack::arp {
namespace {

constexpr std::uint16_t hardware_ethernet = 1;
constexpr std::uint16_t protocol_ipv4 = static_cast<std::uint16_t>(ethernet::ethertype::ipv4);
constexpr std::uint16_t sizes = 0x0604;  // of the two kinds of addresses

}  // namespace

std::optional<message> parse(bytes_view payload) {
  if (payload.size() < message_size) return std::nullopt;
  if (load_16(payload, 0) != hardware_ethernet || load_16(payload, 2) != protocol_ipv4 || load_16(payload, 4) != sizes)
    return std::nullopt;
  const auto what = load_16(payload, 6);
  if (what != static_cast<std::uint16_t>(operation::request) && what != static_cast<std::uint16_t>(operation::reply))
    return std::nullopt;
  return message{.what = operation{what},
                 .sender_mac = ethernet::read_mac(payload, 8),
                 .sender = {load_32(payload, 14)},
                 .target_mac = ethernet::read_mac(payload, 18),
                 .target = {load_32(payload, 24)}};
}

void write(bytes_span to, const message& m) {
  store_16(to, 0, hardware_ethernet);
  store_16(to, 2, protocol_ipv4);
  store_16(to, 4, sizes);
  store_16(to, 6, static_cast<std::uint16_t>(m.what));
  std::ranges::copy(m.sender_mac.bytes, to.begin() + 8);
  store_32(to, 14, m.sender.value);
  std::ranges::copy(m.target_mac.bytes, to.begin() + 18);
  store_32(to, 24, m.target.value);
}

}  // namespace netstack::arp
