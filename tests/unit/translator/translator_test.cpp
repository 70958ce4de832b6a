// The data plane behind its handle, with a link of hand-made frames. TCP against a real stack is in
// tests/integration/virtual_network_test.cpp.
#include "translator/translator.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/udp_datagram.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/socket_peer.hpp"

namespace translator {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using bytes = std::vector<std::uint8_t>;

constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}},
    gateway_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}};
constexpr netstack::ipv4::address vm{0xc0a8'7f02}, gateway{0xc0a8'7f01};

std::array<base::unique_fd, 2> make_pair(int kind) {
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  return {base::unique_fd(pair[0]), base::unique_fd(pair[1])};
}

// A UDP datagram of the VM as the link carries it.
bytes framed_datagram(netstack::endpoint from, netstack::endpoint to, std::string_view text) {
  using namespace netstack;
  const auto packet = ipv4::header_size + udp::header_size + text.size();
  bytes all(2 + ethernet::header_size + packet);
  all[0] = static_cast<std::uint8_t>(all.size() - 2);
  const auto ip = std::span(all).subspan(2 + ethernet::header_size);
  ethernet::write_header(std::span(all).subspan(2), gateway_mac, vm_mac, ethernet::ethertype::ipv4);
  ipv4::write_header(ip, {.source = from.address, .destination = to.address, .protocol = ipv4::protocol::udp},
                     udp::header_size + text.size());
  std::ranges::copy(text, ip.begin() + ipv4::header_size + udp::header_size);
  udp::write_header(ip.subspan(ipv4::header_size), from.address, to.address, from.port, to.port);
  return all;
}

// An ARP request of the VM, which all stations get, as the link carries it.
bytes framed_question(netstack::ipv4::address about) {
  using namespace netstack;
  bytes all(2 + ethernet::header_size + arp::message_size);
  all[0] = static_cast<std::uint8_t>(all.size() - 2);
  ethernet::write_header(std::span(all).subspan(2), net::mac_address::broadcast(), vm_mac, ethernet::ethertype::arp);
  arp::write(std::span(all).subspan(2 + ethernet::header_size),
             {.what = arp::operation::request, .sender_mac = vm_mac, .sender = vm, .target_mac = {}, .target = about});
  return all;
}

// The VM's first segment of a connection as the link carries it.
bytes framed_syn(netstack::endpoint from, netstack::endpoint to) {
  using namespace netstack;
  bytes all(2 + ethernet::header_size + ipv4::header_size + tcp::header_size);
  all[0] = static_cast<std::uint8_t>(all.size() - 2);
  const auto ip = std::span(all).subspan(2 + ethernet::header_size);
  ethernet::write_header(std::span(all).subspan(2), gateway_mac, vm_mac, ethernet::ethertype::ipv4);
  ipv4::write_header(ip, {.source = from.address, .destination = to.address, .protocol = ipv4::protocol::tcp},
                     tcp::header_size);
  tcp::segment syn;
  syn.source_port = from.port;
  syn.destination_port = to.port;
  syn.flags.syn = true;
  syn.window = 65'535;
  tcp::write_header(ip.subspan(ipv4::header_size), from.address, to.address, syn);
  return all;
}

void send_all(const base::unique_fd& link, const bytes& all) {
  ASSERT_EQ(::send(link.get(), all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
}

// What a link has carried of other stations than the gateway, `size` bytes of it, within 5 s.
bytes receive_all(const base::unique_fd& link, std::size_t size) {
  bytes raw, got;
  std::size_t done = 0;
  static_cast<void>(eventually(5s, [&] {
    std::array<std::uint8_t, 4096> part{};
    const auto more = ::recv(link.get(), part.data(), part.size(), MSG_DONTWAIT);
    raw.insert(raw.end(), part.begin(), part.begin() + std::max<ssize_t>(more, 0));
    while (done + 2 <= raw.size() && done + 2 + raw[done] <= raw.size()) {
      const auto frame = std::span(raw).subspan(done, 2U + raw[done]);
      done += frame.size();
      const auto head = netstack::ethernet::parse(frame.subspan(2));
      if (head && head->source != gateway_mac) got.insert(got.end(), frame.begin(), frame.end());
    }
    return got.size() >= size;
  }));
  return got;
}

plane_options with_short_grace() {
  plane_options made;
  made.grace_of_a_lost_link = 200ms;
  return made;
}

class translator_fixture : public testing::Test {
 protected:
  translator_fixture()
      : dns_(make_pair(SOCK_SEQPACKET)), budget_(1'000), plane_(with_short_grace(), budget_, std::move(dns_[1])) {}

  base::unique_fd add_link() {
    auto ends = make_pair(SOCK_STREAM);
    EXPECT_TRUE(plane_.add_link(links::stream_link(std::move(ends[1]), {}), [this](const base::error&) { ++ended_; }));
    return std::move(ends[0]);
  }

  std::array<base::unique_fd, 2> dns_;
  relay::descriptor_budget budget_;
  std::atomic<int> ended_ = 0;
  translator plane_;
};

constexpr net::endpoint loopback(std::uint16_t port) { return {net::address::loopback_v4(), port}; }

// A free port of the host, taken while the result lives.
struct taken_port {
  base::unique_fd fd;
  std::uint16_t port = 0;
};
taken_port take_port() {
  taken_port made{base::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  auto at = net::to_sockaddr(loopback(0));
  EXPECT_EQ(::bind(made.fd.get(), at.get(), at.size), 0);
  EXPECT_EQ(::listen(made.fd.get(), 1), 0);
  EXPECT_EQ(::getsockname(made.fd.get(), at.get(), &at.size), 0);
  made.port = net::from_sockaddr(at)->port;
  return made;
}

TEST_F(translator_fixture, a_link_whose_peer_closes_ends_once_and_is_counted) {
  auto link = add_link();
  EXPECT_EQ(plane_.count().links, 1U);
  link.reset();
  EXPECT_TRUE(eventually(5s, [&] { return ended_ == 1; }));
  EXPECT_EQ(plane_.count().links, 0U);
  EXPECT_TRUE(plane_.links().empty());
}

TEST_F(translator_fixture, a_peer_that_leaves_within_a_frame_ends_only_its_link) {
  const auto good = add_link();
  const auto bad = add_link();
  const std::array<std::uint8_t, 4> part{0xff, 0xff, 0, 0};
  ASSERT_EQ(::send(bad.get(), part.data(), part.size(), 0), 4);
  ASSERT_EQ(::shutdown(bad.get(), SHUT_WR), 0);
  EXPECT_TRUE(eventually(5s, [&] { return ended_ == 1; }));
  EXPECT_EQ(plane_.count().links, 1U);
}

// The flooded frames lie in the memory of the link that fails, and its answers in that of the stack.
TEST_F(translator_fixture, frames_of_a_link_whose_write_fails_reach_the_others_whole) {
  const auto before = add_link(), failing = add_link(), behind = add_link();
  ASSERT_EQ(::shutdown(failing.get(), SHUT_RD), 0);
  bytes all;
  for (int i = 0; i < 100; ++i) {
    const auto one = framed_question(i % 2 == 0 ? gateway : vm);
    all.insert(all.end(), one.begin(), one.end());
  }
  send_all(failing, all);
  EXPECT_EQ(receive_all(before, all.size()), all);
  EXPECT_EQ(receive_all(behind, all.size()), all);
  EXPECT_TRUE(eventually(5s, [&] { return ended_ == 1; }));
  EXPECT_EQ(plane_.links().size(), 2U);
  EXPECT_TRUE(plane_.stations().empty());
}

// `frame` as framed_question() makes it, from another MAC; ARP names the same one.
bytes from_mac(bytes frame, const net::mac_address& mac) {
  const std::span all(frame);
  const auto head = netstack::ethernet::parse(all.subspan(2));
  netstack::ethernet::write_header(all.subspan(2), head->destination, mac, netstack::ethernet::ethertype::arp);
  auto m = netstack::arp::parse(all.subspan(2 + netstack::ethernet::header_size));
  m->sender_mac = mac;
  netstack::arp::write(all.subspan(2 + netstack::ethernet::header_size), *m);
  return frame;
}

TEST_F(translator_fixture, a_frame_for_other_vms_has_its_senders_own_source) {
  constexpr net::mac_address other_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0x01}};
  const auto link = add_link(), other = add_link();
  const auto honest = framed_question(vm);
  send_all(link, from_mac(honest, gateway_mac));
  send_all(link, from_mac(honest, other_mac));  // it claims the VM's address
  send_all(link, honest);
  EXPECT_EQ(receive_all(other, honest.size()), honest);
  EXPECT_EQ(plane_.count().frames_flooded, 1U);
  EXPECT_EQ(plane_.count().frames_refused, 1U);
  for (const auto& one : plane_.stations()) EXPECT_NE(one.mac, gateway_mac);
}

TEST_F(translator_fixture, a_dns_question_reaches_the_control_thread_with_its_asker) {
  const auto link = add_link();
  const auto frame = framed_datagram({vm, 4711}, {gateway, 53}, "question");
  ASSERT_EQ(::send(link.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  std::array<std::uint8_t, 64> record{};
  ssize_t size = -1;
  ASSERT_TRUE(
      eventually(5s, [&] { return (size = ::recv(dns_[0].get(), record.data(), record.size(), MSG_DONTWAIT)) > 0; }));
  ASSERT_EQ(size, 16);
  EXPECT_EQ(dns_asker_of(record), (netstack::endpoint{vm, 4711}));
  EXPECT_EQ(std::string(record.begin() + 8, record.begin() + 16), "question");
}

TEST_F(translator_fixture, unread_questions_are_dropped_and_counted) {
  const auto link = add_link();
  const auto frame = framed_datagram({vm, 4711}, {gateway, 53}, "question");
  EXPECT_TRUE(eventually(20s, [&] {
    for (int i = 0; i < 100; ++i) static_cast<void>(::send(link.get(), frame.data(), frame.size(), MSG_NOSIGNAL));
    return plane_.count().questions_dropped > 0;
  }));
}

TEST_F(translator_fixture, a_busy_port_a_second_name_and_a_stopped_one) {
  auto busy = take_port();
  const auto key = loopback(busy.port);
  const auto refused = plane_.expose(net::protocol::tcp, key, {vm, 80});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::address_in_use);
  busy.fd.reset();
  ASSERT_TRUE(plane_.expose(net::protocol::tcp, key, {vm, 80}));
  const auto twice = plane_.expose(net::protocol::tcp, key, {vm, 80});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, std::errc::file_exists);
  plane_.stop(net::protocol::tcp, key);
  EXPECT_TRUE(plane_.expose(net::protocol::tcp, key, {vm, 80}));
}

TEST_F(translator_fixture, listeners_have_a_part_of_the_descriptors_and_give_it_back) {
  relay::descriptor_budget small(40);
  auto pair = make_pair(SOCK_SEQPACKET);
  translator plane({}, small, std::move(pair[1]));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(plane.expose(net::protocol::udp, loopback(0), {vm, 80})) << i;
    plane.stop(net::protocol::udp, loopback(0));
  }
  const auto other = [](int i) { return net::address::v4(127, 0, 0, static_cast<std::uint8_t>(i)); };
  int held = 1;
  while (held < 100 && plane.expose(net::protocol::udp, {other(held), 0}, {vm, 80})) ++held;
  EXPECT_LT(held, 40);
}

TEST_F(translator_fixture, a_connection_to_a_service_holds_a_descriptor) {
  std::atomic<int> calls = 0;
  plane_.add_service(80, [&](base::unique_fd, const net::endpoint&) { return ++calls > 0; });
  const auto link = add_link();
  std::vector<relay::descriptor_lease> all;
  while (auto one = budget_.take(relay::descriptor_use::connection)) all.push_back(std::move(one));
  send_all(link, framed_syn({vm, 4711}, {gateway, 80}));
  EXPECT_TRUE(eventually(5s, [&] { return plane_.count().connects_refused == 1; }));
  EXPECT_EQ(calls, 0);
  all.pop_back();
  send_all(link, framed_syn({vm, 4712}, {gateway, 80}));
  EXPECT_TRUE(eventually(5s, [&] { return calls == 1; }));
  EXPECT_FALSE(budget_.take(relay::descriptor_use::connection));
}

TEST_F(translator_fixture, connections_of_a_vm_whose_link_is_gone_end_while_others_have_theirs) {
  base::unique_fd held;
  std::atomic<bool> called = false;
  plane_.add_service(80, [&](base::unique_fd fd, const net::endpoint&) {
    held = std::move(fd);
    return called = true;
  });
  auto link = add_link();
  const auto other = add_link();
  send_all(link, framed_syn({vm, 4711}, {gateway, 80}));
  ASSERT_TRUE(eventually(5s, [&] { return called && plane_.count().connections == 1; }));
  link.reset();
  EXPECT_TRUE(eventually(5s, [&] { return plane_.count().connections == 0; }));
  EXPECT_EQ(plane_.links().size(), 1U);
}

TEST_F(translator_fixture, a_client_is_not_kept_where_no_vm_is) {
  auto free = take_port();
  const auto key = loopback(free.port);
  free.fd.reset();
  ASSERT_TRUE(plane_.expose(net::protocol::tcp, key, {vm, 80}));
  EXPECT_TRUE(support::is_reset(support::connected_socket(SOCK_STREAM, key)));
  EXPECT_TRUE(eventually(5s, [&] { return plane_.count().connections == 0; }));
}

}  // namespace
}  // namespace translator
