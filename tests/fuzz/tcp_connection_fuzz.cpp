// One TCP connection: segments, the host's events and time, all from bytes. Two bytes choose an operation, the next
// ones its numbers. What goes out stays within what was written; memory stays within the bounds; asking ends.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "netstack/tcp/connection.hpp"

using namespace netstack;
using namespace netstack::tcp;

namespace {

constexpr sequence theirs{0xffff'ff00};
constexpr sequence ours{0x7fff'ff00};

void require(bool holds) {
  if (!holds) std::abort();
}

class input {
 public:
  explicit input(bytes_view from) : from_(from) {}
  [[nodiscard]] bool empty() const { return from_.empty(); }
  std::uint8_t byte() {
    if (from_.empty()) return 0;
    const auto value = from_[0];
    from_ = from_.subspan(1);
    return value;
  }
  std::uint16_t word() { return static_cast<std::uint16_t>(byte() << 8U | byte()); }
  // Mostly near zero, sometimes anywhere.
  std::uint32_t offset() {
    const auto value = word();
    return value >= 0xf000 ? std::uint32_t{value} << 16U | word() : value - 16U;
  }

 private:
  bytes_view from_;
};

class driver {
 public:
  explicit driver(input in) : in_(in), payload_(4'096) {
    for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<std::uint8_t>(i);
    limits_.send_capacity = 64 << 10;
    limits_.receive_window = limits_.most_receive_window = 64 << 10;
    if (in_.byte() % 2 != 0) limits_.largest_segment = 60'000;
  }

  void run() {
    const bool opens = in_.byte() % 2 != 0;
    auto syn = make_segment();
    syn.flags = {.syn = true};
    syn.number = theirs;
    connection c = opens ? connection::open(limits_, ours, now_) : connection::accept(syn, limits_, ours, now_);
    while (!in_.empty()) {
      step(c);
      check(c);
    }
    c.abort();
    ask(c);
    require(c.state() == state::closed);
    std::size_t left = 0;
    for (const auto slice : c.arrived()) left += slice.size();
    c.consume(left, now_);
    for (int i = 0; i < 3; ++i) c.on_time(now_ += std::chrono::seconds(2));
    require(c.wake_at() == never && c.memory() == 0);
  }

 private:
  segment make_segment() {
    segment s;
    const auto kind = in_.byte();
    s.flags = {.fin = kind % 8 == 7, .syn = kind % 16 == 5, .rst = kind % 32 == 9, .ack = kind % 64 != 11};
    s.number = theirs + 1 + in_.offset();
    s.acknowledged = ours + 1 + in_.offset();
    s.window = kind % 4 == 0 ? in_.byte() : in_.word();
    s.payload = bytes_view(payload_).first(kind % 2 == 0 ? 0 : in_.word() % payload_.size());
    s.options.sack_permitted = kind < 200;
    if (kind % 8 < 4) s.options.most_segment = in_.word();
    if (kind % 16 < 12) s.options.window_shift = std::uint8_t(in_.byte() % 15);
    s.options.sack_blocks = kind % 8 == 6 ? in_.byte() % (most_sack_blocks + 1) : 0;
    for (std::size_t i = 0; i < s.options.sack_blocks; ++i)
      s.options.sack[i] = {ours + 1 + in_.offset(), ours + 1 + in_.offset()};
    return s;
  }

  void step(connection& c) {
    switch (in_.byte() % 12) {
      case 0: c.connected(now_); break;
      case 1:
      case 2:
      case 3:
      case 4: c.on_segment(make_segment(), now_); break;
      case 5: write(c); break;
      case 6: consume(c); break;
      case 7: c.keep(); break;
      case 8:
        now_ += std::chrono::milliseconds(in_.word());
        c.on_time(now_);
        break;
      case 9:
        if (const auto which = in_.byte(); which < 64)
          c.finish(now_);
        else if (which < 80)
          c.finish_with_reset(now_);
        else if (which < 84)
          c.abort();
        else if (which < 150)
          c.set_receive_window(in_.word());
        else
          c.set_most_segment(in_.word());
        break;
      default: ask(c);
    }
  }

  void write(connection& c) {
    std::size_t most = in_.word(), done = 0;
    for (const auto slice : c.send_room()) {
      const auto part = slice.first(std::min(slice.size(), most - done));
      std::ranges::fill(part, std::uint8_t{1});
      done += part.size();
    }
    c.written(done, now_);
    written_ += done;
  }

  void consume(connection& c) {
    std::size_t most = in_.word(), done = 0;
    for (const auto slice : c.arrived()) {
      require(!slice.empty());
      done += std::min(slice.size(), most - done);
    }
    c.consume(done, now_);
  }

  void ask(connection& c) {
    outgoing o;
    const std::size_t budget = in_.byte() % 2 != 0 ? in_.word() : ~std::size_t{0};
    for (int i = 0; c.next_segment(o, now_, budget); ++i) {
      require(i < 10'000);
      require(o.payload_size() <= std::min(budget, std::max<std::size_t>(limits_.largest_segment, 1'460)));
      const auto behind = static_cast<std::uint32_t>(o.payload_size()) + o.header.number.value - ours.value - 1;
      if (o.payload_size() > 0) require(behind <= written_);
      require(o.header.flags.rst || !o.header.flags.fin || behind == written_);
    }
    static_cast<void>(c.take_events());
  }

  static void check(const connection& c) {
    // Rings of both directions, then lists.
    require(c.memory() <= (64U << 10U) + (128U << 10U) + 600'000U);
    require(c.state() != state::closed || c.memory() <= (128U << 10U) + 600'000U);
  }

  input in_;
  std::vector<std::uint8_t> payload_;
  limits limits_;
  time_point now_{std::chrono::hours(1)};
  std::uint64_t written_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  driver(input(bytes_view(data, std::min<std::size_t>(size, 4'096)))).run();
  return 0;
}
