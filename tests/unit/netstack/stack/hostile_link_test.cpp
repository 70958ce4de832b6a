// A link whose other end stops to read, and floods that make the owner work: what waits is bounded and counted, and
// when the link reads again everything that has to arrive does.
#include "netstack/stack/packet_queue.hpp"
#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

constexpr std::size_t packet_room = stack_limits{}.queued_packets + packet_queue::chunk_size;

TEST(hostile_link, a_link_that_stops_reading_holds_bounded_memory_and_loses_no_stream) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  all.reads = false;
  const auto stream = counting(3'000'000);
  std::size_t written = 0;
  for (int i = 0; i < 5'000; ++i) {
    written += write(all, id, bytes_view(stream).subspan(written));
    all.net.send_datagram({server, 53}, {vm, 4'000}, bytes(1'400), false, all.now);
    all.put_udp({vm, 1}, {gateway, 9}, text("x"));          // an ICMP error each
    all.arp_message(arp::operation::request, vm, gateway);  // an answer each
    all.put_icmp(gateway, icmp::make_echo_request(1, 1, bytes(1'000)));
    all.pass(1ms);
    const auto counted = all.net.counters();
    ASSERT_LE(counted.queued_bytes, packet_room);
    ASSERT_LE(counted.tcp_memory, std::size_t{2} << 20U);
  }
  EXPECT_TRUE(all.seen.empty());
  EXPECT_GT(all.net.counters().queue_full, 1'000U);
  EXPECT_LT(written, stream.size());
  EXPECT_EQ(all.net.counters().flows, 1U);
  // It reads again: what waited comes, and the stream goes on where it was.
  all.reads = true;
  bytes got;
  const auto limit = all.now + 5s;
  while (got.size() < stream.size() && all.now < limit) {
    all.pass(1ms);
    std::erase_if(all.seen, [](const auto& f) { return !f.packet().is(ipv4::protocol::tcp); });
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    client.ack();
    written += write(all, id, bytes_view(stream).subspan(written));
  }
  EXPECT_EQ(got, stream);
  all.seen.clear();
  all.arp_message(arp::operation::request, vm, gateway);
  EXPECT_EQ(all.only_frame().frame().destination, vm_mac);
  all.pass(1ms);
  EXPECT_EQ(all.net.counters().queued_bytes, 0U);
}

// Only one of two links stops. The stack holds its frames for both, so its owner takes them and drops those of the link
// that stands: the other one's machine notices nothing.
TEST(hostile_link, a_link_that_drops_everything_costs_the_other_nothing) {
  fake_vm all;
  bystander good(all);
  all.net.link_up(1, {}, all.now);
  all.pull();
  all.link = 1;
  all.mac = other_mac;
  bytes request(240);
  request[0] = 1, request[1] = 1, request[2] = 6;
  std::ranges::copy(other_mac.bytes, request.begin() + 28);
  store_32(request, 236, 0x6382'5363);
  request.insert(request.end(), {53, 1, 3, 50, 4, 0xc0, 0xa8, 0x7f, 3, 255});
  request.resize(300);
  all.destination_mac = net::mac_address::broadcast();
  all.put_udp({{}, 68}, {{0xffff'ffff}, 67}, request);
  all.destination_mac = gateway_mac;
  take_work(all);
  tcp_client client{all, {{0xc0a87f03}, 5'000}};
  const auto id = client.connect();
  write(all, id, counting(100'000));
  all.turn();
  std::size_t frames = 0;
  for (int i = 0; i < 600; ++i) {  // ten minutes: nothing is acknowledged
    all.pass(1s);
    for (const auto& frame : all.seen) EXPECT_EQ(frame.link, 1U);
    frames += take_work(all).frames;
    if (i % 60 == 0) good.expect_unharmed();
  }
  EXPECT_LE(frames, 400U) << "a window's worth at the beginning, then a repetition at a time";
  EXPECT_EQ(all.net.counters().timed_out, 1U);
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

// ---- Floods of datagrams

// 30,000 in ten seconds, each from a new port: the stack keeps nothing of them; flows are the owner's.
TEST(hostile_link, datagrams_from_thirty_thousand_ports_leave_nothing_in_the_stack) {
  fake_vm all;
  bystander good(all);
  const auto before = all.net.counters();
  for (std::uint16_t i = 0; i < 30'000; ++i) {
    const endpoint from{vm, static_cast<std::uint16_t>(10'000 + i)};
    all.put_udp(from, {server, 53}, text("q"));
    ASSERT_EQ(all.only<action::datagram>().from, from);
    // The owner refuses every second one, as a host without a server does.
    if (i % 2 == 0) all.net.datagram_failed(from, {server, 53}, ECONNREFUSED, 0, all.now);
    all.turn();
    ASSERT_LE(take_work(all).frames, 1U);
    if (i % 3 == 0) all.pass(1ms);
    if (i % 5'000 == 0) good.expect_unharmed();
  }
  const auto after = all.net.counters();
  EXPECT_EQ(after.datagrams_in, 30'000U);
  EXPECT_EQ(after.flows, before.flows);
  EXPECT_EQ(after.neighbours, before.neighbours);
  EXPECT_EQ(after.queued_bytes, 0U);
  EXPECT_LE(after.errors_out, 11 * stack_limits{}.errors_a_second) << "of 15,000 in ten seconds";
  EXPECT_EQ(after.errors_out + after.errors_suppressed, 15'000U);
  good.expect_unharmed();
}

TEST(hostile_link, every_kind_of_request_costs_one_answer_at_most) {
  fake_vm all;
  bystander good(all);
  for (std::uint32_t i = 0; i < 3'000; ++i) {
    all.put_icmp(gateway, icmp::make_echo_request(1, static_cast<std::uint16_t>(i), bytes(1'000)));
    ASSERT_EQ(take_work(all).frames, 1U);
    all.put_udp({vm, 1}, {gateway, 53}, bytes(30));
    const auto asked = take_work(all);
    ASSERT_EQ(asked.actions, 1U);
    ASSERT_EQ(asked.frames, 0U) << "the service answers";
    all.put_icmp(server, icmp::make_echo_request(1, 1, {}), 1);  // its time to live ends
    ASSERT_LE(take_work(all).frames, 1U);
    all.put_packet(make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol{47}}, bytes(20)));
    ASSERT_LE(take_work(all).frames, 1U);
  }
  EXPECT_LE(all.net.counters().errors_out, stack_limits{}.errors_a_second);
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

// One bulk download and a flood of requests share the link: neither starves the other.
TEST(hostile_link, a_flood_of_echoes_does_not_starve_a_stream) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  const auto stream = counting(500'000);
  std::size_t written = 0;
  bytes got;
  int turns = 0;
  for (; got.size() < stream.size() && turns < 200; ++turns) {
    written += write(all, id, bytes_view(stream).subspan(written));
    std::vector<bytes> batch;
    for (int i = 0; i < 200; ++i)
      batch.push_back(frame_of(make_packet({.source = vm, .destination = gateway, .protocol = ipv4::protocol::icmp},
                                           icmp::make_echo_request(1, 1, bytes(1'000)))));
    put_batch(all, batch);
    const auto echoes = std::erase_if(all.seen, [](const auto& f) { return !f.packet().is(ipv4::protocol::tcp); });
    EXPECT_EQ(echoes, 200U);
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    client.ack();
  }
  EXPECT_EQ(got, stream);
  EXPECT_LE(turns, 100);
}

}  // namespace
}  // namespace netstack
