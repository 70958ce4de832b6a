#include "link/offload_agreement.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "link/framing.hpp"
#include "net/mac_address.hpp"
#include "netstack/ethernet.hpp"

namespace links {
namespace {

// IEEE 802 Local Experimental Ethertype 1. No bridge forwards the destination (802.1D, 7.12.6); the source is zero.
constexpr std::uint16_t experimental = 0x88b5;
constexpr net::mac_address nearest_bridge{{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}};
constexpr std::string_view name = "guestagent offload 1 ";  // 1: the version
constexpr std::size_t kind_at = netstack::ethernet::header_size + name.size();

using marker_bytes = std::array<std::uint8_t, marker_size>;

marker_bytes make(marker m) {
  marker_bytes made{};
  netstack::ethernet::write_header(made, nearest_bridge, {}, static_cast<netstack::ethernet::ethertype>(experimental));
  std::ranges::copy(name, made.begin() + netstack::ethernet::header_size);
  made[kind_at] = static_cast<std::uint8_t>(m);
  return made;
}

}  // namespace

bytes_view marker_frame(marker m) {
  static const marker_bytes ask = make(marker::ask), go = make(marker::go);
  return m == marker::ask ? ask : go;
}

std::optional<marker> parse_marker(bytes_view frame) {
  if (frame.size() != marker_size) return std::nullopt;
  for (const auto m : {marker::ask, marker::go})
    if (std::ranges::equal(frame, marker_frame(m))) return m;
  return std::nullopt;
}

offload_agreement::outcome offload_agreement::go() {
  if (sends_) return {.consumed = true};
  sends_ = true;
  return {.consumed = true, .answer = marker::go};
}

offload_agreement::outcome offload_agreement::on_frame(bytes_view frame) {
  if (role_ == offload_role::none) return {};
  const auto m = parse_marker(frame);
  if (!m) {
    if (role_ == offload_role::host && !sends_) role_ = offload_role::none;  // it asks first, or never
    return {};
  }
  if (*m == marker::ask) return role_ == offload_role::host ? go() : outcome{.consumed = true};
  // A host that was not asked has sent no `go`, so a peer's is out of order.
  if (role_ == offload_role::host && !sends_) return {.consumed = true};
  receives_ = true;
  return role_ == offload_role::vm ? go() : outcome{.consumed = true};
}

}  // namespace links
