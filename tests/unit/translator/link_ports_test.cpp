// Links of the data plane: several VMs on one network, links that do not read, fail or end, and their recording.
#include "translator/link_ports.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

using netstack::arp::operation;

class link_ports_test : public plane_fixture {
 protected:
  void SetUp() override { start(); }
  scripted_vm join_second() { return join(second_vm, second_mac); }
  // An IPv4 packet of one VM to another.
  static bytes packet(netstack::ipv4::address from, netstack::ipv4::address to, const bytes& payload) {
    return netstack::make_packet({.source = from, .destination = to, .protocol = netstack::ipv4::protocol::icmp},
                                 payload);
  }
  // The test's end of a link, or none if it is refused.
  base::unique_fd try_link(silence of_peer) {
    auto ends = make_pair(SOCK_STREAM);
    const auto added = plane().add_link(links::stream_link(std::move(ends[1]), {}), of_peer,
                                        [this](const base::error&) { ++ended_links_; });
    return added ? std::move(ends[0]) : base::unique_fd();
  }
  static bool is_closed(const base::unique_fd& peer) {
    std::array<char, 4'096> sent_before{};
    while (true) {
      const auto got = ::recv(peer.get(), sent_before.data(), sent_before.size(), MSG_DONTWAIT);
      if (got <= 0) return got == 0;
    }
  }
  // The next frame of another VM than the gateway.
  static bytes next_other(scripted_vm& at) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (at.others.empty() && std::chrono::steady_clock::now() < deadline)
      if (!at.receive(1s)) break;
    if (at.others.empty()) return {};
    auto first = std::move(at.others.front());
    at.others.pop_front();
    return first;
  }
};

TEST_F(link_ports_test, a_known_vm_gets_its_frames_and_no_other_does) {
  auto first = join(), second = join_second();
  auto third = scripted_vm(links::stream_link(add_link(), {}), {0xc0a8'7f09}, {{2, 0, 0, 0, 0, 9}});
  first.put_packet(packet(vm, second_vm, text("hello")), second_mac);
  const auto got = next_other(second);
  ASSERT_GE(got.size(), 5U);
  EXPECT_EQ(bytes(got.end() - 5, got.end()), text("hello"));
  EXPECT_EQ(now(plane().count().frames_switched), 1U);
  EXPECT_EQ(now(plane().count().frames_flooded), 0U);
  third.receive(a_moment);
  EXPECT_TRUE(third.others.empty());
}

TEST_F(link_ports_test, a_question_for_all_reaches_all_others) {
  auto first = join(), second = join_second();
  auto third = scripted_vm(links::stream_link(add_link(), {}), {0xc0a8'7f09}, {{2, 0, 0, 0, 0, 9}});
  first.put_arp(operation::request, second_vm);
  for (auto* one : {&second, &third}) {
    const auto got = next_other(*one);
    const auto head = netstack::ethernet::parse(got);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->source, vm_mac);
    EXPECT_EQ(netstack::arp::parse(head->payload)->target, second_vm);
  }
  EXPECT_EQ(now(plane().count().frames_flooded), 1U);
}

TEST_F(link_ports_test, a_frame_for_an_unknown_station_goes_nowhere_and_is_counted) {
  auto first = join(), second = join_second();
  first.put_packet(packet(vm, {0xc0a8'7f44}, text("x")), {{2, 0, 0, 0, 0, 0x44}});
  EXPECT_TRUE(soon([&] { return now(plane().count().frames_unknown) == 1; }));
  second.receive(a_moment);
  EXPECT_TRUE(second.others.empty());
}

TEST_F(link_ports_test, a_vm_speaks_to_others_with_its_own_address_alone) {
  auto first = join(), second = join_second();
  first.put_packet(packet(second_vm, second_vm, text("false")), second_mac);
  first.put_packet(packet({0x0a00'0001}, second_vm, text("false")), second_mac);
  EXPECT_TRUE(soon([&] { return now(plane().count().frames_refused) == 2; }));
  first.put_packet(packet(vm, second_vm, text("true")), second_mac);
  const auto got = next_other(second);
  ASSERT_GE(got.size(), 4U);
  EXPECT_EQ(bytes(got.end() - 4, got.end()), text("true"));
}

TEST_F(link_ports_test, a_station_whose_link_has_ended_is_unknown_at_once) {
  auto first = join();
  {
    auto second = join_second();
    EXPECT_EQ(plane().stations().size(), 2U);
  }
  EXPECT_TRUE(soon([&] { return plane().stations().size() == 1; }));
  first.put_packet(packet(vm, second_vm, text("x")), second_mac);
  EXPECT_TRUE(soon([&] { return now(plane().count().frames_unknown) == 1; }));
  EXPECT_EQ(ended_links_, 1);
}

TEST_F(link_ports_test, a_silent_station_ages_out_of_what_is_shown) {
  auto first = join(), second = join_second();
  pass(4min);
  second.say_where();
  EXPECT_TRUE(soon([&] { return plane().stations().size() == 2; }));
  pass(2min);
  EXPECT_TRUE(soon([&] { return plane().stations().size() == 1; }));
  EXPECT_TRUE(knows(second_mac));
}

TEST_F(link_ports_test, links_have_a_bound_and_one_that_ends_makes_room) {
  std::vector<base::unique_fd> all;
  for (std::size_t i = 0; i < link_ports::most_links; ++i) all.push_back(add_link());
  auto pair = make_pair(SOCK_STREAM);
  const auto refused = plane().add_link(links::stream_link(std::move(pair[1]), {}), [](const base::error&) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::too_many_links);
  all.pop_back();
  ASSERT_TRUE(soon([&] { return plane().links().size() == link_ports::most_links - 1; }));
  all.push_back(add_link());
  EXPECT_EQ(plane().links().size(), link_ports::most_links);
}

// The oldest of them goes first, and no other.
TEST_F(link_ports_test, when_all_places_are_taken_a_silent_link_gives_its_own_up_after_a_while) {
  const auto began = async::clock::now();
  std::vector<base::unique_fd> all;
  all.push_back(add_link());  // silent too, but one that keeps its place
  while (all.size() < link_ports::most_links) all.push_back(try_link(silence::gives_the_place));
  ASSERT_EQ(::send(all[1].get(), "\x3c\x00", 2, 0), 2);  // the beginning of a frame is none
  auto speaks = scripted_vm(links::stream_link(std::move(all[2]), {}), vm, vm_mac);
  speaks.say_where();
  ASSERT_TRUE(soon([&] { return knows(vm_mac); }));
  const auto refused = try_link(silence::gives_the_place);
  if (async::clock::now() - began < link_ports::time_to_speak) EXPECT_FALSE(refused) << "too early";
  pass(link_ports::time_to_speak);
  const auto newcomers = std::array{try_link(silence::gives_the_place), try_link(silence::keeps_the_place)};
  EXPECT_TRUE(newcomers[0] && newcomers[1]);
  EXPECT_TRUE(soon([&] { return ended_links_ == 2; }));
  for (const auto at : {1U, 3U}) EXPECT_TRUE(is_closed(all[at])) << at;
  for (const auto at : {0U, 4U, 63U}) EXPECT_FALSE(is_closed(all[at])) << at;
  EXPECT_TRUE(knows(vm_mac));
  EXPECT_EQ(plane().links().size(), link_ports::most_links);
  EXPECT_EQ(now(plane().count().links), link_ports::most_links);
}

TEST_F(link_ports_test, a_hundred_joins_and_leaves_leave_nothing) {
  auto first = join();
  for (int i = 0; i < 100; ++i) {
    auto second = join_second();
    second.put_arp(operation::request, vm);
  }
  EXPECT_TRUE(soon([&] { return plane().links().size() == 1; }));
  EXPECT_EQ(plane().stations().size(), 1U);
  EXPECT_EQ(now(plane().count().links), 1U);
  EXPECT_EQ(ended_links_, 100);
}

// The kernel's buffers of a pair hold some megabytes.
TEST_F(link_ports_test, a_link_that_does_not_read_blocks_itself_alone_and_gets_what_waits_later) {
  const auto server = tcp_server();
  auto first = join();
  vm_connection slow(first, 40'000, by_alias(server));
  ASSERT_TRUE(slow.connect());
  const auto slow_host = accept_from(server);
  const auto chunk = std::string(64 << 10, 's');
  std::size_t sent = 0;
  for (int idle = 0; idle < 50 && sent < (std::size_t{64} << 20U);) {
    const auto size = ::send(slow_host.get(), chunk.data(), chunk.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) sent += static_cast<std::size_t>(size);
    idle = size > 0 ? 0 : idle + 1;
    if (size < 0) turn();
  }
  auto second = join_second();
  vm_connection other(second, 40'000, by_alias(server));
  ASSERT_TRUE(other.connect());
  const auto host = accept_from(server);
  support::send_all(host.get(), std::string(200'000, 'o'));
  EXPECT_TRUE(other.reads(200'000)) << "the other VM's link reads";
  EXPECT_LE(plane().statistics().tcp_memory, std::size_t{4} << 20U);
  EXPECT_TRUE(slow.reads(sent));
  EXPECT_EQ(slow.received.size(), sent);
}

TEST_F(link_ports_test, a_link_of_datagrams_carries_connections_as_well) {
  scripted_vm machine(links::datagram_link(add_link(SOCK_SEQPACKET)));
  machine.say_where();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  support::send_all(host.get(), "over datagrams");
  EXPECT_TRUE(c.reads(14));
}

TEST_F(link_ports_test, offload_is_agreed_on_each_link_by_itself) {
  auto plain = join();
  links::stream_link large(add_link(), {.offload = links::offload_role::vm});
  EXPECT_TRUE(large.flush());
  EXPECT_EQ(plane().links().size(), 2U);
  auto ends = make_pair(SOCK_STREAM);
  ASSERT_TRUE(plane().add_link(links::stream_link(std::move(ends[1]), {.offload = links::offload_role::host}),
                               [](const base::error&) {}));
  links::stream_link agreed(std::move(ends[0]), {.offload = links::offload_role::vm});
  EXPECT_TRUE(agreed.flush());
  EXPECT_TRUE(soon([&] { return agreed.read() && agreed.flush() && agreed.takes_offload(); }));
  const auto all = plane().links();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ((std::array{all[0].offload, all[1].offload, all[2].offload}), (std::array{false, false, true}));
}

TEST_F(link_ports_test, a_virtio_header_that_cannot_be_the_frames_is_refused_and_the_link_lives) {
  auto ends = make_pair(SOCK_STREAM);
  ASSERT_TRUE(plane().add_link(links::stream_link(std::move(ends[1]), {.offload = links::offload_role::host}),
                               [this](const base::error&) { ++ended_links_; }));
  links::stream_link liar(std::move(ends[0]), {.offload = links::offload_role::vm});
  ASSERT_TRUE(liar.flush());
  ASSERT_TRUE(soon([&] { return liar.read() && liar.flush() && liar.takes_offload(); }));
  const auto frame = counting(60);
  const std::array<bytes_view, 1> parts{frame};
  const std::array<std::uint8_t, 10> lie{1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};  // a checksum far behind the frame
  ASSERT_TRUE(liar.send(lie, parts));
  ASSERT_TRUE(liar.flush());
  EXPECT_TRUE(soon([&] { return now(plane().count().frames_refused) == 1; }));
  EXPECT_EQ(ended_links_, 0);
}

// ---- Recording

std::size_t size_of(const std::filesystem::path& file) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  return none ? 0 : static_cast<std::size_t>(size);
}

// The packets in a recording; the gateway's questions by ARP come when they like.
std::size_t packets_in(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string all(std::istreambuf_iterator<char>(stream), {});
  std::size_t count = 0;
  for (std::size_t at = 24; at + 16 <= all.size();) {
    const auto low = [&](std::size_t i) { return std::size_t{static_cast<std::uint8_t>(all[at + i])}; };
    const auto size = low(8) | low(9) << 8U;
    if (at + 16 + size > all.size()) break;
    count += all.substr(at + 16 + 12, 2) == std::string("\x08\x00", 2) ? 1U : 0U;
    at += 16 + size;
  }
  return count;
}

TEST_F(link_ports_test, a_recording_has_the_frames_of_both_ways_until_it_ends) {
  const support::temp_dir directory;
  const auto path = directory / "x.pcap";
  auto file = pcap_file::create(path.string());
  ASSERT_TRUE(file);
  auto machine = join();
  plane().record(std::move(*file));
  EXPECT_TRUE(plane().is_recording());
  EXPECT_GE(size_of(path), 24U);
  machine.put_icmp(gateway, netstack::icmp::make_echo_request(1, 1, counting(56)));
  ASSERT_TRUE(machine.next_icmp());
  EXPECT_TRUE(soon([&] { return packets_in(path) == 2; })) << packets_in(path);
  plane().record(std::nullopt);
  EXPECT_FALSE(plane().is_recording());
  machine.put_icmp(gateway, netstack::icmp::make_echo_request(1, 2, counting(56)));
  ASSERT_TRUE(machine.next_icmp());
  turn();
  EXPECT_EQ(packets_in(path), 2U);
}

// As on a full disk: the file may grow no more.
TEST_F(link_ports_test, a_recording_that_cannot_be_written_ends_with_one_line_and_the_network_goes_on) {
  const support::temp_dir directory;
  auto file = pcap_file::create((directory / "x.pcap").string());
  ASSERT_TRUE(file);
  auto machine = join();
  plane().record(std::move(*file));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{8 << 10, before.rlim_max};
  testing::internal::CaptureStderr();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  bool answered = true;
  for (std::uint16_t i = 0; i < 20; ++i) {
    machine.put_icmp(gateway, netstack::icmp::make_echo_request(1, i, counting(1'400)));
    answered = answered && machine.next_icmp();
  }
  turn();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(answered);
  EXPECT_THAT(log, testing::HasSubstr("recording ended: cannot write"));
  EXPECT_EQ(log.find("recording ended"), log.rfind("recording ended"));
  EXPECT_FALSE(plane().is_recording()) << "the next signal begins a new one";
}

}  // namespace
}  // namespace translator
