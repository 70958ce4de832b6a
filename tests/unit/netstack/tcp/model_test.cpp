// The machine against a small model of a peer, and against itself, over random links in simulated time: thousands of
// seeds. Every byte comes once and in order, nothing goes beyond a window, nothing is acknowledged that did not come,
// everything is freed, and in time.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/unit/netstack/tcp/model_peer.hpp"
#include "tests/unit/netstack/tcp/repair_record.hpp"
#include "tests/unit/netstack/tcp/two_machines.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

sequence initial_of(std::uint64_t seed) { return {static_cast<std::uint32_t>(0xffff'ff00 + seed * 77)}; }

connection begin(const world& w, std::uint64_t seed, random_link& to_peer, random_link& to_host, model_peer& peer,
                 time_point& now) {
  if (!w.peer_opens) return connection::open(w.machine, initial_of(seed), now);
  peer.open();
  for (int i = 0; i < 20; ++i) {
    peer.send_all(to_host, now);
    const auto at = std::min(to_host.next(), peer.wake_at());
    now = std::max(now, at);
    if (const auto came = to_host.arrivals(now); !came.empty()) {
      auto c = connection::accept(came[0].view(), w.machine, initial_of(seed), now);
      c.connected(now);
      return c;
    }
    peer.on_time(now);
  }
  ADD_FAILURE() << "no SYN came";
  static_cast<void>(to_peer);
  return connection::open(w.machine, initial_of(seed), now);
}

// Which bytes of the peer's stream have reached the machine: it acknowledges no others.
class arrival_record {
 public:
  explicit arrival_record(sequence first) : first_(first) {}
  void note(const carried& c) {
    const auto from = c.header.number - first_;
    const auto length = c.view().length();
    if (from < 0 || c.header.flags.syn) return;
    came_.resize(std::max<std::size_t>(came_.size(), static_cast<std::size_t>(from) + length + 1));
    std::fill_n(came_.begin() + from, length, true);
    while (prefix_ < came_.size() && came_[prefix_]) ++prefix_;
  }
  void check(const carried& c) const {
    if (!c.header.flags.ack) return;
    ASSERT_LE(c.header.acknowledged - first_, static_cast<std::int64_t>(prefix_)) << "did not come";
  }

 private:
  sequence first_;
  std::vector<bool> came_;
  std::size_t prefix_ = 0;
};

result run_against_model(const world& w, std::uint64_t seed) {
  auto now = start_of_time;
  auto out = w.quality;
  out.drops = w.there_drops;
  random_link to_peer(seed, out), to_host(seed + 1'000'000, w.quality);
  to_peer.watch = w.watches_there;
  model_peer peer(w.peer, seed);
  host_application host(begin(w, seed, to_peer, to_host, peer, now), w.host, seed);
  arrival_record record({w.peer.isn + 1});
  host.on_sent = [&](const carried& c) { record.check(c); };
  const auto deadline = now + 300s;
  while (!(host.closed && peer.finished())) {
    if (host.timed_out && !host.established) return {};  // every SYN was lost
    host.send_all(to_peer, now);
    peer.send_all(to_host, now);
    const auto next = std::min({to_peer.next(), to_host.next(), host.wake_at(), peer.wake_at()});
    EXPECT_NE(next, never) << "both ends sleep for ever";
    EXPECT_LT(next, deadline) << "too slow";
    if (next >= deadline || ::testing::Test::HasFailure()) break;
    now = std::max(now, next);
    for (const auto& c : to_peer.arrivals(now)) peer.on_segment(c.view(), now);
    peer.on_time(now);
    const auto came = to_host.arrivals(now);
    if (!came.empty() && host.closed && host.peer_finished) peer.end();
    for (const auto& c : came) record.note(c);
    if (!came.empty()) host.on_batch(came, now);
    host.on_time(now);
  }
  EXPECT_EQ(host.read, w.host.reads);
  EXPECT_EQ(peer.read, w.peer.reads);
  EXPECT_TRUE(peer.fin_read);
  EXPECT_TRUE(host.peer_finished);
  EXPECT_FALSE(host.reset || host.timed_out || peer.was_reset);
  host.on_time(now + 3s);
  host.on_time(now + 6s);
  EXPECT_EQ(host.machine().memory(), 0U);
  EXPECT_EQ(host.machine().wake_at(), never);
  return {now - start_of_time, peer.repeated};
}

class model : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(model, both_streams_pass_over_random_links) {
  constexpr std::uint64_t seeds = 250;
  for (auto seed = GetParam() * seeds; seed < (GetParam() + 1) * seeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    run_against_model(random_world(seed), seed);
    if (HasFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(seeds, model, ::testing::Range<std::uint64_t>(0, 8));

// --- one loss

// A random world whose link loses nothing but one segment of the host's.
world world_of_one_loss(std::uint64_t seed) {
  auto w = random_world(seed);
  w.quality = {.delay = w.quality.delay};
  w.host.writes += 20'000;
  w.peer.reads = w.host.writes;
  w.there_drops = 3 + seed % 25;
  return w;
}

void expect_repaired_in_time(const world& w, const repair_record& record, bool sack) {
  const auto round_trip = 2 * w.quality.delay;
  ASSERT_TRUE(record.took());
  EXPECT_LE(*record.took(), 200ms + 2 * round_trip + 50ms) << "a time-out, and the probe of the tail before it";
  if (!sack || !record.took_since_third()) return;
  EXPECT_LE(*record.took_since_third(), round_trip * 5 / 4 + 1ms) << "a round trip";
}

TEST(model_repair, a_lost_segment_goes_out_again_within_a_time_out_and_by_sack_within_a_round_trip) {
  std::size_t losses = 0, by_sack = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto w = world_of_one_loss(seed);
    repair_record record;
    w.watches_there = [&](const carried& c, time_point now, bool lost) { record.note(c, now, lost); };
    run_against_model(w, seed);
    if (!record.has_lost()) continue;
    ++losses;
    by_sack += w.peer.sack && record.took_since_third() ? 1 : 0;
    expect_repaired_in_time(w, record, w.peer.sack);
    if (HasFailure()) return;
  }
  EXPECT_GE(losses, 75U);
  EXPECT_GE(by_sack, 25U);
}

TEST(model_repair, the_same_between_two_machines) {
  std::size_t losses = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto w = world_of_one_loss(seed);
    w.machine.receive_window = std::max<std::size_t>(w.machine.receive_window, 4'000);
    repair_record record;
    w.watches_there = [&](const carried& c, time_point now, bool lost) { record.note(c, now, lost); };
    run_two_machines(w, seed, 60s);
    if (!record.has_lost()) continue;
    ++losses;
    expect_repaired_in_time(w, record, true);
    if (HasFailure()) return;
  }
  EXPECT_GE(losses, 75U);
}

// --- two machines

TEST(two_machines, many_links) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto w = random_world(seed);
    w.machine.receive_window = std::max<std::size_t>(w.machine.receive_window, 4'000);
    run_two_machines(w, seed, 300s);
    if (HasFailure()) return;
  }
}

TEST(two_machines, a_clean_link_repeats_nothing) {
  const auto r = run_two_machines(large_world(2'000'000, {}), 1, 1s);
  EXPECT_LT(r.took, 600ms);  // TIME_WAIT included
  EXPECT_LE(r.repeated, 2 * 2'000'000 / 1'460 + 50);
}

// The host sends 200 kB to the VM; each run loses another segment of it.
TEST(two_machines, a_lost_segment_is_repaired_within_a_round_trip) {
  world w;
  w.host.writes = w.peer.reads = 200'000;
  w.quality.delay = 1ms;
  const auto clean = run_two_machines(w, 1, 5s);
  for (std::uint64_t dropped = 3; dropped < 138; ++dropped) {
    auto lossy = w;
    lossy.there_drops = dropped;
    const auto took = run_two_machines(lossy, 1, 5s).took - clean.took;
    // Behind the last segments nothing reports the loss: the tail is probed before the time-out.
    EXPECT_LT(took, dropped < 130 ? 2 * 2ms + 500us : 60ms) << "segment " << dropped;
    if (HasFailure()) return;
  }
}

TEST(two_machines, a_lost_acknowledgement_costs_nothing_but_at_the_ends) {
  world w;
  w.host.writes = w.peer.reads = 200'000;
  w.quality.delay = 1ms;
  const auto clean = run_two_machines(w, 1, 5s);
  for (std::uint64_t dropped = 3; dropped < 8; ++dropped) {
    auto lossy = w;
    lossy.back_drops = dropped;
    EXPECT_LT(run_two_machines(lossy, 1, 5s).took - clean.took, 60ms) << "segment " << dropped;
  }
}

TEST(two_machines, reordering_without_loss_makes_no_pause) {
  const auto clean = run_two_machines(large_world(2'000'000, {.delay = 50us}), 1, 10s);
  const auto mixed = run_two_machines(large_world(2'000'000, {.delay = 50us, .jitter = 40us}), 1, 10s);
  EXPECT_LT(mixed.took, 4 * clean.took + 300ms);
}

TEST(two_machines, one_loss_in_a_hundred_costs_no_time_outs_but_at_the_ends) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto r = run_two_machines(large_world(2'000'000, {.loss = 0.01, .delay = 50us}), seed, 60s);
    EXPECT_LT(r.took, 4s) << "seed " << seed;  // 2,700 segments: 27 time-outs would take 5 s
  }
}

// Five in a hundred come 20 segments late, at a round trip of 50 µs: half of the clean rate, and no pause.
TEST(two_machines, five_in_a_hundred_out_of_order_keep_half_of_the_rate) {
  constexpr link_quality clean{.delay = 25us, .spacing = 1us};
  auto mixed = clean;
  mixed.reordering = 0.05;
  mixed.late = 20us;
  const auto run = [](const link_quality& q) {
    auto w = large_world(0, q);
    w.host.writes = w.peer.reads = 10'000'000;
    time_point last = start_of_time;
    duration longest{};
    w.watches_there = [&](const carried& c, time_point now, bool) {
      if (c.payload.empty()) return;
      longest = std::max(longest, now - last);
      last = now;
    };
    run_two_machines(w, 1, 20s);
    EXPECT_LT(longest, 300ms);
    return last - start_of_time;  // what follows is TIME_WAIT
  };
  const auto best = run(clean);
  EXPECT_LT(best, 100ms);
  EXPECT_LT(run(mixed), 2 * best);
}

// As netem reorders: most segments of both directions are late by a millisecond, and the others overtake them. Nothing
// is lost, and after some false losses next to nothing is repeated.
TEST(two_machines, segments_that_overtake_others_both_ways_cost_few_repetitions) {
  constexpr std::uint64_t bytes = 10'000'000;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    auto w = large_world(0, {.delay = 100us, .spacing = 50us, .reordering = 0.95, .late = 1ms});
    w.host.writes = w.peer.reads = bytes;
    std::uint64_t sent = 0, repeated = 0, repeated_in_the_second_half = 0;
    std::optional<sequence> end;
    w.watches_there = [&](const carried& c, time_point, bool) {
      if (c.payload.empty()) return;
      const auto its_end = c.header.number + static_cast<std::uint32_t>(c.payload.size());
      if (!end || *end < its_end) {
        sent += c.payload.size();
        end = its_end;
      } else {
        ++repeated;
        if (sent > bytes / 2) ++repeated_in_the_second_half;
      }
    };
    EXPECT_LT(run_two_machines(w, seed, 20s).took, 1s) << "seed " << seed;  // 850 ms at best, TIME_WAIT included
    EXPECT_LT(repeated, 1'000U) << "seed " << seed;                         // of 7,500
    EXPECT_LT(repeated_in_the_second_half, 20U) << "seed " << seed;
  }
}

// A server that writes N bytes and closes at once, to a client with a small buffer, over a link that loses one in a
// hundred: every length and every byte.
TEST(two_machines, a_server_that_writes_any_number_of_bytes_and_closes) {
  std::mt19937_64 random(4);
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    world w;
    w.quality = {.loss = 0.01, .delay = 50us};
    w.host.writes = w.peer.reads = seed <= 40 ? seed : pick(random, 1, seed < 300 ? 20'000 : 300'000);
    w.machine.receive_window = pick(random, 4'000, 16'000);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", bytes " << w.host.writes);
    run_two_machines(w, seed, 60s);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace netstack::tcp
