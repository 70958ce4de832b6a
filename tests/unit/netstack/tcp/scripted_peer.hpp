// A connection and the hand of a peer: each segment is written out by the test, with numbers from the streams'
// beginnings.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/packets.hpp"
#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {

class scripted_peer {
 public:
  static constexpr sequence theirs{0xffff'fff0};  // the streams wrap soon
  static constexpr sequence ours{0x7fff'fff0};

  segment syn() const {
    segment s;
    s.number = theirs;
    s.flags.syn = true;
    s.window = 64'000;
    s.options.most_segment = 1'460;
    s.options.window_shift = 0;
    s.options.sack_permitted = sack;
    return s;
  }
  // `at`: the offset in the peer's stream; `acknowledged`: in ours.
  segment data(std::uint32_t at, std::string_view payload, std::uint32_t acknowledged = 0) {
    segment s;
    s.number = theirs + 1 + at;
    s.flags.ack = true;
    s.acknowledged = ours + 1 + acknowledged;
    s.window = window;
    kept_.emplace_back(payload.begin(), payload.end());
    s.payload = kept_.back();
    return s;
  }
  segment fin(std::uint32_t at, std::uint32_t acknowledged = 0) {
    auto s = data(at, "", acknowledged);
    s.flags.fin = true;
    return s;
  }
  segment rst(std::uint32_t at) {
    auto s = data(at, "");
    s.flags.rst = true;
    s.flags.ack = false;
    return s;
  }
  segment acknowledgement(std::uint32_t acknowledged, std::vector<std::pair<unsigned, unsigned>> blocks = {},
                          std::uint32_t at = 0) {
    auto s = data(at, "", acknowledged);
    for (const auto& [begin, end] : blocks)
      s.options.sack[s.options.sack_blocks++] = {ours + 1 + begin, ours + 1 + end};
    return s;
  }

  // Up to the SYN-ACK, which waits to be sent.
  void half_open() { half_open(syn()); }
  void half_open(const segment& from_peer) {
    c.emplace(connection::accept(from_peer, l, ours, now));
    c->connected(now);
  }
  void accept() {
    half_open();
    sent();
    give(acknowledgement(0));
    sent();
    static_cast<void>(c->take_events());
  }
  void open() {
    c.emplace(connection::open(l, ours, now));
    sent();
    auto s = syn();
    s.flags.ack = true;
    s.acknowledged = ours + 1;
    give(s);
    sent();
    static_cast<void>(c->take_events());
  }

  void give(const segment& s) { c->on_segment(s, now); }
  void wait(duration d) {
    const auto end = now + d;
    while (c->wake_at() <= end) {
      now = std::max(now, c->wake_at());
      c->on_time(now);
      for (auto& s : sent()) answered.push_back(std::move(s));
    }
    now = end;
  }
  // Everything that goes out now.
  std::vector<carried> sent(std::size_t budget = ~std::size_t{0}) {
    std::vector<carried> all;
    for (outgoing o; all.size() < 10'000 && c->next_segment(o, now, budget);) all.emplace_back(o);
    return all;
  }
  std::size_t write(std::size_t bytes) {
    std::size_t done = 0;
    while (done < bytes) {
      const auto room = c->send_room();
      std::size_t filled = 0;
      for (const auto slice : room)
        for (auto& byte : slice)
          if (done + filled < bytes) byte = stream_byte(1, wrote + filled++);
      c->written(filled, now);
      wrote += filled;
      done += filled;
      if (filled == 0) break;
    }
    return done;
  }
  std::string read() {
    std::string all;
    for (const auto slice : c->arrived()) all.append(slice.begin(), slice.end());
    c->consume(all.size(), now);
    return all;
  }
  // Offsets in our stream.
  static std::uint32_t offset(const carried& s) { return s.header.number.value - ours.value - 1; }
  static std::uint32_t acknowledges(const carried& s) { return s.header.acknowledged.value - theirs.value - 1; }

  limits l;
  bool sack = true;
  std::uint16_t window = 64'000;
  time_point now{std::chrono::hours(1)};
  std::optional<connection> c;
  std::vector<carried> answered;  // during wait()
  std::uint64_t wrote = 0;

 private:
  std::vector<bytes> kept_;
};

}  // namespace netstack::tcp
