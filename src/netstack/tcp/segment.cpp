#include "netstack/tcp/segment.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::tcp {
namespace {

enum option_kind : std::uint8_t {
  end_of_options = 0,
  no_operation = 1,
  most_segment_size = 2,
  window_scale = 3,
  sack_permitted = 4,
  sack = 5,
};

constexpr std::size_t at_flags = 13;
constexpr std::size_t at_checksum = 16;

flags read_flags(std::uint8_t bits) {
  return {.fin = (bits & 0x01U) != 0,
          .syn = (bits & 0x02U) != 0,
          .rst = (bits & 0x04U) != 0,
          .psh = (bits & 0x08U) != 0,
          .ack = (bits & 0x10U) != 0,
          .urg = (bits & 0x20U) != 0,
          .ece = (bits & 0x40U) != 0,
          .cwr = (bits & 0x80U) != 0};
}

std::uint8_t write_flags(const flags& f) {
  unsigned bits = 0;
  const bool in_order[] = {f.fin, f.syn, f.rst, f.psh, f.ack, f.urg, f.ece, f.cwr};
  for (unsigned i = 0; i < 8; ++i)
    if (in_order[i]) bits |= 1U << i;
  return static_cast<std::uint8_t>(bits);
}

void read_sack(options& o, bytes_view blocks) {
  o.sack_blocks = std::min(blocks.size() / 8, most_sack_blocks);
  for (std::size_t i = 0; i < o.sack_blocks; ++i) o.sack[i] = {{load_32(blocks, 8 * i)}, {load_32(blocks, 8 * i + 4)}};
}

// `body`: the bytes after kind and length.
void read_option(options& o, std::uint8_t kind, bytes_view body, bool syn) {
  if (kind == sack && !syn && body.size() % 8 == 0) read_sack(o, body);
  if (!syn) return;
  if (kind == most_segment_size && body.size() == 2) o.most_segment = load_16(body, 0);
  if (kind == window_scale && body.size() == 1) o.window_shift = std::min(body[0], most_window_shift);
  if (kind == sack_permitted && body.empty()) o.sack_permitted = true;
}

options read_options(bytes_view bytes, bool syn) {
  options o;
  while (!bytes.empty() && bytes[0] != end_of_options) {
    if (bytes[0] == no_operation) {
      bytes = bytes.subspan(1);
      continue;
    }
    if (bytes.size() < 2 || bytes[1] < 2 || bytes[1] > bytes.size()) break;
    read_option(o, bytes[0], bytes.subspan(2, bytes[1] - 2U), syn);
    bytes = bytes.subspan(bytes[1]);
  }
  return o;
}

// Pads each option to a multiple of four, as other stacks do.
std::size_t size_of_options(const options& o) {
  return (o.most_segment ? 4U : 0U) + (o.window_shift ? 4U : 0U) + (o.sack_permitted ? 4U : 0U) +
         (o.sack_blocks > 0 ? 4U + 8U * o.sack_blocks : 0U);
}

void write_options(bytes_span to, const options& o) {
  std::size_t at = 0;
  const auto put = [&](std::initializer_list<std::uint8_t> bytes) {
    for (const auto byte : bytes) to[at++] = byte;
  };
  if (o.most_segment) {
    put({most_segment_size, 4});
    store_16(to, at, *o.most_segment);
    at += 2;
  }
  if (o.window_shift) put({no_operation, window_scale, 3, *o.window_shift});
  if (o.sack_permitted) put({no_operation, no_operation, sack_permitted, 2});
  if (o.sack_blocks == 0) return;
  put({no_operation, no_operation, sack, static_cast<std::uint8_t>(2 + 8 * o.sack_blocks)});
  for (std::size_t i = 0; i < o.sack_blocks; ++i, at += 8) {
    store_32(to, at, o.sack[i].begin.value);
    store_32(to, at + 4, o.sack[i].end.value);
  }
}

}  // namespace

std::optional<segment> parse(const ipv4::packet& packet, check payload_checksum) {
  const auto bytes = packet.payload;
  if (bytes.size() < header_size) return std::nullopt;
  const std::size_t own = std::size_t{static_cast<std::uint8_t>(bytes[12] >> 4U)} * 4;
  if (own < header_size || own > bytes.size()) return std::nullopt;
  const auto pseudo = ipv4::pseudo_header_sum(packet.source, packet.destination, ipv4::protocol::tcp, bytes.size());
  if (payload_checksum == check::verify && checksum(bytes, pseudo) != 0) return std::nullopt;
  segment s{.source_port = load_16(bytes, 0),
            .destination_port = load_16(bytes, 2),
            .number = {load_32(bytes, 4)},
            .acknowledged = {load_32(bytes, 8)},
            .flags = read_flags(bytes[at_flags]),
            .window = load_16(bytes, 14),
            .urgent = load_16(bytes, 18),
            .options = {},
            .payload = bytes.subspan(own)};
  s.options = read_options(bytes.subspan(header_size, own - header_size), s.flags.syn);
  return s;
}

std::size_t size_of_header(const options& o) { return header_size + size_of_options(o); }

void write_header(bytes_span to, ipv4::address source, ipv4::address destination, const segment& s,
                  checksum_kind kind) {
  const auto own = size_of_header(s.options);
  store_16(to, 0, s.source_port);
  store_16(to, 2, s.destination_port);
  store_32(to, 4, s.number.value);
  store_32(to, 8, s.flags.ack ? s.acknowledged.value : 0);
  to[12] = static_cast<std::uint8_t>(own / 4 << 4U);
  to[at_flags] = write_flags(s.flags);
  store_16(to, 14, s.window);
  store_16(to, at_checksum, 0);
  store_16(to, 18, s.urgent);
  write_options(to.subspan(header_size, own - header_size), s.options);
  const auto pseudo = ipv4::pseudo_header_sum(source, destination, ipv4::protocol::tcp, to.size());
  const auto sum =
      kind == checksum_kind::whole ? checksum(to, pseudo) : static_cast<std::uint16_t>(~finish_checksum(pseudo));
  store_16(to, at_checksum, sum);
}

}  // namespace netstack::tcp
