// fragments: reassembles IPv4 fragments (RFC 791, 3.2; RFC 815), and fragments packets that are too large.
//
// Theory of operation. Source, destination, protocol and id identify a datagram in progress. Its fragments are kept as
// they arrived, in the order of their offsets. They may arrive in any order and twice. Two that overlap with different
// extents are an attack or a reused id: the whole datagram is dropped (RFC 5722 does so for IPv6). A datagram is
// complete when its fragments leave no gap and the last one has arrived.
//
// Bounds: `most_datagrams` datagrams, `most_bytes` of payload and most_pieces fragments wait at one time; where a
// fragment would exceed one of them, the oldest datagram goes. Small fragments cost more than their payload, so their
// number has a bound of its own. A datagram that is not complete 30 s after its first fragment goes, too (RFC 1122,
// 3.3.2 asks for 60 to 120 s, Linux takes 30). No fragment of 0 bytes is kept, so a datagram has at most 8,192.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "netstack/ipv4.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

struct fragment_limits {
  std::size_t most_datagrams = 64;
  std::size_t most_bytes = std::size_t{1} << 20U;
  std::chrono::seconds wait{30};
};

class fragments {
 public:
  static constexpr std::size_t most_pieces = 8'192;  // of all datagrams: a whole one of the smallest always fits

  explicit fragments(fragment_limits limits = {}) : limits_(limits) {}

  // The whole packet if `fragment` completes it; its payload and header are valid until the next call.
  [[nodiscard]] std::optional<ipv4::packet> add(const ipv4::packet& fragment, time_point now);
  void expire(time_point now);
  // When expire() has something to do; max() for never.
  [[nodiscard]] time_point wake_at() const;

  [[nodiscard]] std::size_t datagrams() const { return waiting_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t pieces() const { return pieces_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  // datagrams, for any reason

 private:
  struct key {
    ipv4::address source, destination;
    std::uint8_t protocol = 0;
    std::uint16_t id = 0;
    auto operator<=>(const key&) const = default;
  };
  struct datagram {
    key what;
    time_point began;
    std::vector<std::uint8_t> header;                         // of the first fragment
    std::map<std::size_t, std::vector<std::uint8_t>> pieces;  // by offset
    std::size_t bytes = 0;                                    // in pieces
    std::optional<std::size_t> size;                          // known once the last fragment has arrived
  };
  using place = std::list<datagram>::iterator;

  place find_or_begin(const ipv4::packet& fragment, time_point now);
  [[nodiscard]] static bool fits(const datagram& d, const ipv4::packet& fragment);
  [[nodiscard]] static bool is_repeated(const datagram& d, const ipv4::packet& fragment);
  [[nodiscard]] ipv4::packet assemble(place at);
  void remove(place at);
  void drop(place at);
  void make_room(std::size_t bytes, place keep);

  fragment_limits limits_;
  std::list<datagram> waiting_;  // oldest first
  std::map<key, place> by_key_;
  std::size_t bytes_ = 0;
  std::size_t pieces_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<std::uint8_t> header_, payload_;  // of the packet that add() returned last
};

// The fragments of a packet with these fields and this payload, each with its header and at most `mtu` bytes long.
// The payload of all but the last is a multiple of 8. `mtu` is at least 68.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> cut(const ipv4::header_fields& fields, bytes_view payload,
                                                         std::size_t mtu);

}  // namespace netstack
