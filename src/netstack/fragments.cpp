#include "netstack/fragments.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "netstack/ipv4.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

std::optional<ipv4::packet> fragments::add(const ipv4::packet& fragment, time_point now) {
  expire(now);
  const bool ragged = fragment.more_fragments && fragment.payload.size() % 8 != 0;
  if (fragment.payload.empty() || ragged || fragment.payload.size() > limits_.most_bytes) return std::nullopt;
  const auto at = find_or_begin(fragment, now);
  if (is_repeated(*at, fragment)) return std::nullopt;
  if (!fits(*at, fragment)) {
    drop(at);
    return std::nullopt;
  }
  make_room(fragment.payload.size(), at);
  const auto end = fragment.fragment_offset + fragment.payload.size();
  at->pieces.emplace(fragment.fragment_offset,
                     std::vector<std::uint8_t>(fragment.payload.begin(), fragment.payload.end()));
  at->bytes += fragment.payload.size();
  bytes_ += fragment.payload.size();
  ++pieces_;
  if (fragment.fragment_offset == 0) at->header.assign(fragment.header.begin(), fragment.header.end());
  if (!fragment.more_fragments) at->size = end;
  if (at->size != at->bytes) return std::nullopt;
  return assemble(at);
}

fragments::place fragments::find_or_begin(const ipv4::packet& fragment, time_point now) {
  const key k{fragment.source, fragment.destination, fragment.protocol, fragment.id};
  const auto found = by_key_.find(k);
  if (found != by_key_.end()) return found->second;
  if (waiting_.size() >= limits_.most_datagrams) drop(waiting_.begin());
  waiting_.push_back({.what = k, .began = now, .header = {}, .pieces = {}, .bytes = 0, .size = std::nullopt});
  const auto at = std::prev(waiting_.end());
  by_key_.emplace(k, at);
  return at;
}

bool fragments::is_repeated(const datagram& d, const ipv4::packet& fragment) {
  const auto same = d.pieces.find(fragment.fragment_offset);
  if (same == d.pieces.end() || same->second.size() != fragment.payload.size()) return false;
  const bool last = d.size == fragment.fragment_offset + fragment.payload.size();
  return last != fragment.more_fragments;
}

// No overlap with a neighbour, nothing after the end, no second end.
bool fragments::fits(const datagram& d, const ipv4::packet& fragment) {
  const std::size_t begin = fragment.fragment_offset;
  const std::size_t end = begin + fragment.payload.size();
  const auto next = d.pieces.lower_bound(begin);
  if (next != d.pieces.end() && (next->first < end || !fragment.more_fragments)) return false;
  if (next != d.pieces.begin()) {
    const auto& [offset, bytes] = *std::prev(next);
    if (offset + bytes.size() > begin) return false;
  }
  return !d.size || (fragment.more_fragments && end <= *d.size);
}

ipv4::packet fragments::assemble(place at) {
  payload_.clear();
  for (const auto& [offset, bytes] : at->pieces) payload_.insert(payload_.end(), bytes.begin(), bytes.end());
  header_ = std::move(at->header);
  const ipv4::packet whole{.source = at->what.source,
                           .destination = at->what.destination,
                           .protocol = at->what.protocol,
                           .ttl = header_[8],
                           .type_of_service = header_[1],
                           .id = at->what.id,
                           .header = header_,
                           .payload = payload_};
  remove(at);
  return whole;
}

void fragments::remove(place at) {
  bytes_ -= at->bytes;
  pieces_ -= at->pieces.size();
  by_key_.erase(at->what);
  waiting_.erase(at);
}

void fragments::drop(place at) {
  remove(at);
  ++dropped_;
}

// One datagram alone is within the bounds, so what has to go in the end is at most everything else.
void fragments::make_room(std::size_t bytes, place keep) {
  while ((bytes_ + bytes > limits_.most_bytes || pieces_ >= most_pieces) && waiting_.size() > 1)
    drop(waiting_.begin() == keep ? std::next(waiting_.begin()) : waiting_.begin());
}

void fragments::expire(time_point now) {
  while (!waiting_.empty() && now >= waiting_.front().began + limits_.wait) drop(waiting_.begin());
}

time_point fragments::wake_at() const {
  return waiting_.empty() ? time_point::max() : waiting_.front().began + limits_.wait;
}

std::vector<std::vector<std::uint8_t>> cut(const ipv4::header_fields& fields, bytes_view payload, std::size_t mtu) {
  const std::size_t most = (mtu - ipv4::header_size) / 8 * 8;
  const bool whole = ipv4::header_size + payload.size() <= mtu;
  std::vector<std::vector<std::uint8_t>> packets;
  std::size_t at = 0;
  do {
    const auto size = whole ? payload.size() : std::min(most, payload.size() - at);
    auto& packet = packets.emplace_back(ipv4::header_size + size);
    auto own = fields;
    own.fragment_offset = static_cast<std::uint16_t>(fields.fragment_offset + at);
    own.more_fragments = fields.more_fragments || at + size < payload.size();
    ipv4::write_header(packet, own, size);
    std::ranges::copy(payload.subspan(at, size), packet.begin() + ipv4::header_size);
    at += size;
  } while (at < payload.size());
  return packets;
}

}  // namespace netstack
