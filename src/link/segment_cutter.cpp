#include "link/segment_cutter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "link/framing.hpp"
#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/tcp/segment.hpp"

namespace links {
namespace {

using netstack::load_16;
using netstack::load_32;
using netstack::store_16;
using netstack::store_32;

// Offsets in the headers of IPv4 (RFC 791) and TCP (RFC 9293).
constexpr std::size_t total_length_at = 2, id_at = 4, ip_checksum_at = 10, source_at = 12, destination_at = 16;
constexpr std::size_t number_at = 4, data_offset_at = 12, flags_at = 13, tcp_checksum_at = 16;
constexpr std::uint8_t fin = 0x01, psh = 0x08, cwr = 0x80;

}  // namespace

std::optional<segment_cutter> segment_cutter::begin(const netstack::offload& how, bytes_view frame) {
  const auto ethernet = netstack::ethernet::parse(frame);
  if (!ethernet || !ethernet->is(netstack::ethernet::ethertype::ipv4) || how.gso_size == 0) return std::nullopt;
  const auto packet = netstack::ipv4::parse(ethernet->payload);
  if (!packet || !packet->is(netstack::ipv4::protocol::tcp) || packet->is_fragment() ||
      !netstack::tcp::parse(*packet, netstack::tcp::check::skip))
    return std::nullopt;
  const std::size_t tcp_header = std::size_t{packet->payload[data_offset_at]} >> 4U << 2U;
  const auto size = netstack::ethernet::header_size + packet->header.size() + tcp_header;
  const segment_cutter made(frame.first(size), packet->payload.subspan(tcp_header), packet->header.size(),
                            how.gso_size);
  if (made.count() == 0 || made.count() > most_segments) return std::nullopt;
  return made;
}

bytes_view segment_cutter::data(std::size_t i) const {
  const auto begin = i * segment_data_;
  return payload_.subspan(begin, std::min(segment_data_, payload_.size() - begin));
}

void segment_cutter::write_ip(std::size_t i, bytes_span packet) const {
  const auto header = packet.first(ip_header_);
  store_16(header, total_length_at, static_cast<std::uint16_t>(packet.size()));
  store_16(header, id_at, static_cast<std::uint16_t>(load_16(header, id_at) + i));
  store_16(header, ip_checksum_at, 0);
  store_16(header, ip_checksum_at, netstack::checksum(header));
}

void segment_cutter::write_tcp(std::size_t i, bytes_span packet) const {
  const auto segment = packet.subspan(ip_header_);
  store_32(segment, number_at, static_cast<std::uint32_t>(load_32(segment, number_at) + i * segment_data_));
  if (i + 1 < count()) segment[flags_at] &= static_cast<std::uint8_t>(~(fin | psh));
  if (i > 0) segment[flags_at] &= static_cast<std::uint8_t>(~cwr);
  store_16(segment, tcp_checksum_at, 0);
  const auto pseudo = netstack::ipv4::pseudo_header_sum({load_32(packet, source_at)}, {load_32(packet, destination_at)},
                                                        netstack::ipv4::protocol::tcp, segment.size());
  store_16(segment, tcp_checksum_at, netstack::checksum(segment, pseudo));
}

void segment_cutter::write(std::size_t i, bytes_span to) const {
  const auto part = data(i);
  std::ranges::copy(headers_, to.begin());
  std::ranges::copy(part, to.begin() + static_cast<std::ptrdiff_t>(headers_.size()));
  const auto packet = to.subspan(netstack::ethernet::header_size);
  write_ip(i, packet);
  write_tcp(i, packet);
}

}  // namespace links
