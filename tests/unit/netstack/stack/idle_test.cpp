// Hours of silence: a connection whose ends live stays, whichever end began it, with the keep-alives of the VM and
// without.
#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

constexpr std::chrono::hours long_time{3};

// A VM that answers a probe as Linux does, and sends its own each `interval`, if it has one.
void pass_in_silence(fake_vm& all, tcp_client& client, std::optional<std::chrono::seconds> interval) {
  const auto end = all.now + long_time;
  auto own = interval ? all.now + *interval : time_point::max();
  while (true) {
    const auto next = std::min({all.net.wake_at(), own, end});
    all.pass(next - all.now);
    if (next == end) return all.seen.clear();
    if (next == own) {
      tcp::segment probe;
      probe.flags.ack = true;
      probe.number = client.next - 1;
      probe.acknowledged = client.expected;
      probe.window = client.window;
      all.put_tcp(client.own, client.to, probe);
      ASSERT_EQ(all.seen.size(), 1U) << "the stack lives";
      own = next + *interval;
    } else if (!all.seen.empty()) {
      ASSERT_EQ(all.seen.size(), 1U);
      client.ack();
    }
    ASSERT_TRUE(all.actions.empty());
    all.seen.clear();
  }
}

std::size_t frames_in(const fake_vm& all) { return static_cast<std::size_t>(all.net.counters().frames_in); }

TEST(idle, three_hours_without_a_word_and_the_next_byte_passes_each_way) {
  for (const auto interval : {std::optional<std::chrono::seconds>{}, std::optional(75s)}) {
    fake_vm all;
    tcp_client client{all};
    const auto id = client.connect();
    const auto before = frames_in(all);
    pass_in_silence(all, client, interval);
    if (!interval) EXPECT_LE(frames_in(all) - before, 45U) << "a probe each four minutes";
    expect_alive(all, client, id);
    EXPECT_EQ(all.net.counters().flows, 1U);
  }
}

TEST(idle, three_hours_of_an_exposed_port) {
  fake_vm all;
  const auto id = all.net.open({gateway, 0}, {vm, 80}, all.now);
  ASSERT_TRUE(id);
  all.turn();
  const auto syn = all.only_segment();
  ASSERT_TRUE(syn.flags.syn);
  tcp_client client{all, {vm, 80}, {gateway, syn.source_port}};
  client.expected = syn.number + 1;
  client.send({.syn = true, .ack = true});
  all.actions.clear();
  all.seen.clear();
  pass_in_silence(all, client, {});
  expect_alive(all, client, *id);
}

TEST(idle, a_half_closed_connection_stays_and_the_other_half_is_usable) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  client.send({.fin = true, .ack = true});  // the VM has said everything
  EXPECT_EQ(all.only<action::finished>().flow, id);
  all.seen.clear();
  pass_in_silence(all, client, {});
  write(all, id, text("late"));
  all.net.finish(id, all.now);
  all.turn();
  const auto s = all.only_segment();
  EXPECT_TRUE(s.flags.fin);
  EXPECT_EQ(s.number, client.expected);
}

// The idle stack wakes the process for keep-alives alone, and for many connections at once.
TEST(idle, three_hundred_connections_wake_the_process_together) {
  fake_vm all;
  std::vector<tcp_client> clients;
  for (std::uint16_t i = 0; i < 300; ++i) {
    clients.push_back({all, {vm, static_cast<std::uint16_t>(10'000 + i)}});
    clients.back().connect();
    all.pass(37ms);
    all.seen.clear();
  }
  std::size_t wakes = 0;
  const auto end = all.now + 1h;
  while (all.net.wake_at() <= end) {
    ++wakes;
    all.pass(all.net.wake_at() - all.now);
    const auto asked = std::exchange(all.seen, {}).size();
    if (asked > 0)
      for (auto& client : clients) client.ack();  // more than were asked, which harms nothing
    all.seen.clear();
  }
  EXPECT_LE(wakes, 60U) << "four minutes between the probes of an hour";
  EXPECT_EQ(all.net.counters().flows, 300U);
}

// A VM whose application reads nothing: each window is closed, and is probed.
TEST(idle, a_hundred_closed_windows_are_probed_together) {
  fake_vm all;
  std::vector<tcp_client> clients;
  for (std::uint16_t i = 0; i < 100; ++i) {
    auto& client = clients.emplace_back(tcp_client{all, {vm, static_cast<std::uint16_t>(10'000 + i)}});
    const auto id = client.connect();
    write(all, id, text("read"));
    all.turn();
    EXPECT_EQ(client.receive(), text("read"));
    client.window = 0;
    client.ack();
    write(all, id, text("unread"));
    all.pass(7ms);
    all.seen.clear();
  }
  const auto settled = all.now + 7s, end = all.now + 1h;
  std::size_t wakes = 0, probes = 0;
  while (all.net.wake_at() <= end) {
    all.pass(all.net.wake_at() - all.now);
    const auto asked = std::exchange(all.seen, {}).size();
    if (asked > 0)
      for (auto& client : clients) client.ack();
    all.seen.clear();
    if (all.now < settled) continue;
    ++wakes;
    probes += asked;
  }
  EXPECT_LE(wakes, 180U) << "one each 20 s, and not one for each connection";
  EXPECT_GE(probes, 100U * 60U) << "each window is probed within a minute";
}

}  // namespace
}  // namespace netstack
