#include "netstack/stack/segment_frames.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"

namespace netstack {
namespace {

constexpr std::size_t at_checksum = 16;  // in the TCP header

// `size` bytes of two slices, from `at` on.
std::array<bytes_view, 2> slice(const std::array<bytes_view, 2>& of, std::size_t at, std::size_t size) {
  const auto first = std::min(at, of[0].size());
  const auto head = of[0].subspan(first, std::min(size, of[0].size() - first));
  return {head, of[1].subspan(at - first, size - head.size())};
}

// The sum of two consecutive slices: after an odd number of bytes, words are byte-swapped.
std::uint32_t add_slices(const std::array<bytes_view, 2>& slices, std::uint32_t sum) {
  sum = add_to_checksum(slices[0], sum);
  if (slices[0].size() % 2 == 0) return add_to_checksum(slices[1], sum);
  const auto shifted = static_cast<std::uint16_t>(~finish_checksum(add_to_checksum(slices[1])));
  return sum + static_cast<std::uint16_t>(shifted << 8U | shifted >> 8U);
}

}  // namespace

void segment_frames::start(const tcp::outgoing& what, const flow_key& flow) {
  current_ = what;
  current_.header.source_port = flow.peer.port;
  current_.header.destination_port = flow.vm.port;
  flow_ = flow;
  done_ = 0;
  in_progress_ = true;
}

void segment_frames::take(frame_out& to, const location& at, const link_properties& link, std::uint16_t id) {
  const auto all = current_.payload_size();
  const std::size_t most_segment = std::max<std::size_t>(current_.most_segment, 1);
  const bool fits = all <= most_segment || all <= link.most_segment_data;
  const auto size = std::min(all - done_, fits ? all : most_segment);
  const bool last = done_ + size == all;
  auto header = current_.header;
  header.number += static_cast<std::uint32_t>(done_);
  header.flags.fin = header.flags.fin && last;
  header.flags.psh = header.flags.psh && last;
  const auto payload = slice(current_.payload, done_, size);
  done_ += size;
  in_progress_ = !last;

  const auto tcp_size = tcp::size_of_header(header.options);
  const auto bytes = new_header(ethernet::header_size + ipv4::header_size + tcp_size);
  ethernet::write_header(bytes, at.mac, own_, ethernet::ethertype::ipv4);
  ipv4::write_header(bytes.subspan(ethernet::header_size),
                     {.source = flow_.peer.address,
                      .destination = flow_.vm.address,
                      .protocol = ipv4::protocol::tcp,
                      .id = id,
                      .dont_fragment = true},
                     tcp_size + size);
  write_tcp(bytes.last(tcp_size), header, payload, !link.checksum_offload);
  to = {.parts = {bytes, payload[0], payload[1]},
        .size = bytes.size() + size,
        .destination = at.mac,
        .link = at.link,
        .how = {}};
  if (!link.checksum_offload) return;
  to.how = {.needs_checksum = true,
            .checksum_start = ethernet::header_size + ipv4::header_size,
            .checksum_offset = at_checksum};
  if (size <= most_segment) return;
  to.how.gso_size = static_cast<std::uint16_t>(most_segment);
  to.how.header_length = static_cast<std::uint16_t>(bytes.size());
}

void segment_frames::write_tcp(bytes_span to, const tcp::segment& s, const std::array<bytes_view, 2>& payload,
                               bool whole_checksum) {
  const auto size = payload[0].size() + payload[1].size();
  tcp::write_header(to, flow_.peer.address, flow_.vm.address, s, tcp::checksum_kind::pseudo);
  const auto pseudo =
      ipv4::pseudo_header_sum(flow_.peer.address, flow_.vm.address, ipv4::protocol::tcp, to.size() + size);
  store_16(to, at_checksum, 0);
  const auto sum = whole_checksum ? finish_checksum(add_slices(payload, add_to_checksum(to, pseudo)))
                                  : static_cast<std::uint16_t>(~finish_checksum(pseudo));
  store_16(to, at_checksum, sum);
}

bytes_span segment_frames::new_header(std::size_t size) {
  if (used_ == blocks_.size() * headers_a_block) blocks_.push_back(std::make_unique<block>());
  const auto at = used_++;
  return bytes_span(*blocks_[at / headers_a_block]).subspan(at % headers_a_block * header_room, size);
}

void segment_frames::release() {
  used_ = 0;
  in_progress_ = false;
  if (blocks_.size() > kept_blocks) blocks_.resize(kept_blocks);
}

}  // namespace netstack
