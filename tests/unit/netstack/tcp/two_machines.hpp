// Two machines under test, one on each end of a pair of random links in simulated time, with an application on each.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "tests/unit/netstack/tcp/host_application.hpp"
#include "tests/unit/netstack/tcp/model_peer.hpp"
#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {

inline constexpr time_point start_of_time{std::chrono::hours(1)};

struct world {
  link_quality quality;
  peer_plan peer;
  application_plan host;
  limits machine;
  bool peer_opens = true;
  std::uint64_t there_drops = 0, back_drops = 0;  // of two machines
  random_link::observer watches_there;            // of two machines: what the host's end sends
};

inline std::uint64_t pick(std::mt19937_64& r, std::uint64_t least, std::uint64_t most) {
  return std::uniform_int_distribution<std::uint64_t>(least, most)(r);
}

inline world random_world(std::uint64_t seed) {
  std::mt19937_64 r(seed * 7919);
  world w;
  const bool bad = pick(r, 0, 3) > 0;
  if (bad) {
    w.quality.loss = static_cast<double>(pick(r, 0, 100)) / 1000;
    w.quality.duplication = static_cast<double>(pick(r, 0, 50)) / 1000;
    w.quality.jitter = std::chrono::microseconds(pick(r, 0, 1) * pick(r, 1, 2'000));
  }
  w.quality.delay = std::chrono::microseconds(pick(r, 5, 5'000));
  w.peer.isn = static_cast<std::uint32_t>(r());
  w.peer.capacity = static_cast<std::uint32_t>(pick(r, 0, 2) == 0 ? pick(r, 200, 4'000) : pick(r, 8'000, 200'000));
  w.peer.scales = pick(r, 0, 3) > 0;
  w.peer.sack = pick(r, 0, 3) > 0;
  w.peer.shift = static_cast<unsigned>(pick(r, 0, 3));
  w.peer.most_segment = static_cast<std::uint16_t>(pick(r, 0, 2) == 0 ? pick(r, 88, 600) : 1460);
  w.peer.slow = pick(r, 0, 3) == 0;
  w.host.slow = pick(r, 0, 3) == 0;
  const auto size = [&] { return pick(r, 0, 1) * pick(r, 0, 60'000) + pick(r, 0, 3'000); };
  w.peer.writes = w.host.reads = size();
  w.host.writes = w.peer.reads = size();
  w.machine.receive_window = pick(r, 0, 2) == 0 ? pick(r, 1'000, 5'000) : 256 << 10;
  w.machine.largest_segment = pick(r, 0, 2) == 0 ? 65'000 : 1'460;
  w.machine.send_capacity = std::size_t{1} << pick(r, 12, 20);
  w.peer_opens = pick(r, 0, 1) == 0;
  return w;
}

struct result {
  duration took{};
  std::uint64_t repeated = 0;
};

inline world large_world(std::uint64_t bytes, link_quality q) {
  world w;
  w.quality = q;
  w.host.writes = w.host.reads = w.peer.writes = w.peer.reads = bytes;
  return w;
}

// What the stack does when the connection is gone.
inline void refuse(const std::vector<carried>& came, random_link& to, time_point now) {
  for (const auto& c : came) {
    if (c.header.flags.rst || c.header.flags.syn) continue;
    carried answer;
    answer.header.flags.rst = true;
    answer.header.number = c.header.acknowledged;
    to.send(answer, now);
  }
}

inline result run_two_machines(const world& w, std::uint64_t seed, duration limit) {
  auto now = start_of_time;
  auto out = w.quality, in = w.quality;
  out.drops = w.there_drops;
  in.drops = w.back_drops;
  random_link there(seed, out), back(seed + 1'000'000, in);
  there.watch = w.watches_there;
  host_application a(connection::open(w.machine, {0xffff'fff0}, now), w.host, seed);
  std::optional<host_application> b;
  const application_plan other{.writes = w.host.reads, .reads = w.host.writes, .out_stream = 2, .in_stream = 1};
  while (!(a.closed && b && b->closed)) {
    a.send_all(there, now);
    if (b) b->send_all(back, now);
    const auto next = std::min({there.next(), back.next(), a.wake_at(), b ? b->wake_at() : never});
    EXPECT_LT(next, start_of_time + limit) << "too slow";
    if (next >= start_of_time + limit || ::testing::Test::HasFailure()) break;
    now = std::max(now, next);
    const auto came = there.arrivals(now);
    if (!b && !came.empty()) {
      b.emplace(connection::accept(came[0].view(), w.machine, {0x7fff'ffff}, now), other, seed);
      b->machine().connected(now);
    } else if (!came.empty()) {
      b->on_batch(came, now);
    }
    if (b) b->on_time(now);
    if (b && b->closed) refuse(came, back, now);
    const auto back_came = back.arrivals(now);
    if (a.closed) refuse(back_came, there, now);
    if (!back_came.empty()) a.on_batch(back_came, now);
    a.on_time(now);
  }
  EXPECT_TRUE(a.peer_finished && b && b->peer_finished);
  EXPECT_FALSE(a.timed_out || b->timed_out);
  for (auto* end : {&a, &*b}) {  // nothing is left of either
    end->on_time(now + std::chrono::seconds(3));
    end->on_time(now + std::chrono::seconds(6));
    EXPECT_EQ(end->machine().memory(), 0U);
    EXPECT_EQ(end->machine().wake_at(), never);
  }
  return {now - start_of_time, there.sent()};
}

}  // namespace netstack::tcp
