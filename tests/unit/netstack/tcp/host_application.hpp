// The owner of a connection under test: writes a stream, reads the other and checks each byte, and closes behind it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {

struct application_plan {
  std::uint64_t writes = 0;  // bytes
  std::uint64_t reads = 0;   // bytes that the other end writes
  std::uint64_t out_stream = 1, in_stream = 2;
  bool slow = false;  // reads and writes a little at a time, with pauses
};

class host_application {
 public:
  host_application(connection c, application_plan plan, std::uint64_t seed)
      : connection_(std::move(c)), plan_(plan), random_(seed) {}

  connection& machine() { return connection_; }

  void on_batch(const std::vector<carried>& batch, time_point now) {
    for (const auto& c : batch) connection_.on_segment(c.view(), now);
    turn(now);
    connection_.keep();  // the batch's payloads are gone now
  }
  void on_time(time_point now) {
    connection_.on_time(now);
    turn(now);
  }
  [[nodiscard]] time_point wake_at() const { return std::min(connection_.wake_at(), pause_until_); }

  void send_all(random_link& to, time_point now) {
    outgoing o;
    for (int i = 0; i < 100'000; ++i) {
      if (!connection_.next_segment(o, now)) return;
      if (on_sent) on_sent(carried(o));
      to.send(carried(o), now);
    }
    FAIL() << "next_segment() never ends";
  }

  std::function<void(const carried&)> on_sent;
  std::uint64_t read = 0, wrote = 0;
  bool established = false, peer_finished = false, closed = false, reset = false, timed_out = false;

 private:
  void turn(time_point now) {
    note(connection_.take_events());
    if (pause_until_ <= now) pause_until_ = never;
    if (pause_until_ != never) return;
    if (established) {
      read_some(now);
      write_some(now);
    }
    note(connection_.take_events());
    if (plan_.slow && !closed && (wrote < plan_.writes || read < plan_.reads))
      pause_until_ = now + std::chrono::microseconds(std::uniform_int_distribution<>(1, 20'000)(random_));
  }

  void note(const events& e) {
    established = established || e.established;
    closed = closed || e.closed;
    reset = reset || e.reset;
    timed_out = timed_out || e.timed_out;
    if (e.peer_finished) {
      EXPECT_FALSE(peer_finished);
      EXPECT_EQ(read, plan_.reads);
      peer_finished = true;
    }
  }

  void read_some(time_point now) {
    auto most = plan_.slow ? std::uniform_int_distribution<std::size_t>(0, 5'000)(random_) : ~std::size_t{0};
    std::size_t taken = 0;
    for (const auto slice : connection_.arrived()) {
      for (const auto byte : slice) {
        if (taken == most) break;
        ASSERT_EQ(byte, stream_byte(plan_.in_stream, read)) << "at " << read;
        ++read;
        ++taken;
      }
    }
    if (taken > 0) connection_.consume(taken, now);
  }

  void write_some(time_point now) {
    if (finished_) return;
    auto most = plan_.writes - wrote;
    if (plan_.slow) most = std::min<std::uint64_t>(most, std::uniform_int_distribution<unsigned>(1, 9'000)(random_));
    std::size_t written = 0;
    for (const auto slice : connection_.send_room())
      for (auto& byte : slice) {
        if (written == most) break;
        byte = stream_byte(plan_.out_stream, wrote + written);
        ++written;
      }
    connection_.written(written, now);
    wrote += written;
    if (wrote < plan_.writes) return;
    connection_.finish(now);
    finished_ = true;
  }

  connection connection_;
  application_plan plan_;
  std::mt19937_64 random_;
  time_point pause_until_ = never;
  bool finished_ = false;
};

}  // namespace netstack::tcp
