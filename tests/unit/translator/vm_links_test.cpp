// Several VMs behind the data plane's handle: what one sends to another over links of different kinds, whose frames
// move a station, and a peer whose queue is full.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <vector>

#include "link/virtio_net.hpp"
#include "net/stream_address.hpp"
#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/udp_datagram.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/netstack/packets.hpp"
#include "translator/translator.hpp"

namespace translator {
namespace {

using namespace std::chrono_literals;
using netstack::bytes;
using netstack::counting;
using netstack::gateway;
using support::eventually;

constexpr net::mac_address gateway_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}}, first_mac{{2, 0, 0, 0, 0, 1}},
    second_mac{{2, 0, 0, 0, 0, 2}};
constexpr netstack::ipv4::address first_ip{0xc0a8'7f0a}, second_ip{0xc0a8'7f0b};

std::array<base::unique_fd, 2> make_pair(int kind) {
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  return {base::unique_fd(pair[0]), base::unique_fd(pair[1])};
}

plane_options two_vms() {
  plane_options made;
  made.stack.leases = {{first_mac, first_ip}, {second_mac, second_ip}};
  return made;
}

bytes frame_to(const net::mac_address& to, const net::mac_address& from, const bytes& packet) {
  bytes made(netstack::ethernet::header_size + packet.size());
  netstack::ethernet::write_header(made, to, from, netstack::ethernet::ethertype::ipv4);
  std::ranges::copy(packet, made.begin() + netstack::ethernet::header_size);
  return made;
}

bytes datagram(netstack::ipv4::address from, netstack::ipv4::address to, std::string_view payload) {
  bytes made(netstack::udp::header_size + payload.size());
  std::ranges::copy(payload, made.begin() + netstack::udp::header_size);
  netstack::udp::write_header(made, from, to, 1'000, 2'000);
  return netstack::make_packet({.source = from, .destination = to, .protocol = netstack::ipv4::protocol::udp}, made);
}

bytes whole_segment(std::size_t payload) {
  netstack::tcp::segment s;
  s.source_port = 40'000;
  s.destination_port = 80;
  s.number = {1'000};
  s.flags.ack = true;
  bytes made(netstack::tcp::header_size + payload);
  std::ranges::copy(counting(payload), made.begin() + netstack::tcp::header_size);
  netstack::tcp::write_header(made, first_ip, second_ip, s, netstack::tcp::checksum_kind::pseudo);
  return netstack::make_packet(
      {.source = first_ip, .destination = second_ip, .protocol = netstack::ipv4::protocol::tcp}, made);
}

constexpr netstack::offload cut_at_1460{
    .needs_checksum = true, .checksum_start = 34, .checksum_offset = 16, .gso_size = 1'460, .header_length = 54};

// A VM's end of a stream.
class stream_vm {
 public:
  stream_vm(base::unique_fd fd, links::offload_role role) : link_(std::move(fd), {.offload = role}) {
    EXPECT_TRUE(link_.flush());
  }
  void send(const bytes& frame, const netstack::offload& how = {}) {
    const auto header = links::virtio_net::to_bytes(how);
    const std::array<netstack::bytes_view, 1> parts{frame};
    EXPECT_TRUE(link_.send(link_.takes_offload() ? netstack::bytes_view(header) : netstack::bytes_view(), parts));
    EXPECT_TRUE(link_.flush());
  }
  // Keeps what has arrived of other VMs.
  void receive() {
    while (true) {
      const auto got = link_.read();
      EXPECT_TRUE(link_.flush());  // an answer of the link's own
      if (!got || *got == 0) return;
      for (const auto& one : link_.frames()) {
        const auto head = netstack::ethernet::parse(one.frame);
        if (head && head->source != gateway_mac) seen.emplace_back(one.frame.begin(), one.frame.end());
      }
    }
  }
  [[nodiscard]] bool waits_for(std::size_t frames) {
    return eventually(5s, [&] {
      receive();
      return seen.size() >= frames;
    });
  }
  [[nodiscard]] bool agrees() {
    return eventually(5s, [&] {
      receive();
      return link_.takes_offload();
    });
  }

  std::vector<bytes> seen;

 private:
  links::stream_link link_;
};

class vm_links_test : public testing::Test {
 protected:
  vm_links_test() : dns_(make_pair(SOCK_SEQPACKET)), budget_(1'000), plane_(two_vms(), budget_, std::move(dns_[1])) {}

  stream_vm join(links::offload_role role) {
    auto ends = make_pair(SOCK_STREAM);
    EXPECT_TRUE(
        plane_.add_link(links::stream_link(std::move(ends[1]), {.offload = links::offload_role::host}), ignore_));
    return {std::move(ends[0]), role};
  }
  // The VM says where it is.
  void announce(stream_vm& at, const net::mac_address& mac, netstack::ipv4::address ip) {
    at.send(frame_to(gateway_mac, mac, datagram(ip, gateway, "here")));
    EXPECT_TRUE(eventually(5s, [&] { return link_of(mac).has_value(); }));
  }
  std::optional<netstack::link_id> link_of(const net::mac_address& mac) {
    const auto all = plane_.stations();
    const auto found = std::ranges::find(all, mac, &links::mac_table::station::mac);
    return found == all.end() ? std::nullopt : std::optional(found->link);
  }

  const std::function<void(base::error)> ignore_ = [](const base::error&) {};
  std::array<base::unique_fd, 2> dns_;
  relay::descriptor_budget budget_;
  translator plane_;
};

TEST_F(vm_links_test, a_large_segment_reaches_a_vm_without_offload_in_pieces) {
  auto first = join(links::offload_role::vm), second = join(links::offload_role::none);
  ASSERT_TRUE(first.agrees());
  announce(second, second_mac, second_ip);
  first.send(frame_to(second_mac, first_mac, whole_segment(50'000)), cut_at_1460);
  ASSERT_TRUE(second.waits_for(35));
  bytes together;
  for (const auto& frame : second.seen) {
    EXPECT_LE(frame.size(), 1'514U);
    const auto packet = netstack::ipv4::parse(netstack::ethernet::parse(frame)->payload);
    ASSERT_TRUE(packet);
    const auto segment = netstack::tcp::parse(*packet);
    ASSERT_TRUE(segment) << "its checksum is wrong";
    EXPECT_EQ(segment->number.value, 1'000 + together.size());
    together.insert(together.end(), segment->payload.begin(), segment->payload.end());
  }
  EXPECT_EQ(together, counting(50'000));
  EXPECT_EQ(plane_.count().frames_cut, 1U);
}

TEST_F(vm_links_test, a_large_segment_reaches_a_vm_with_offload_whole) {
  auto first = join(links::offload_role::vm), second = join(links::offload_role::vm);
  ASSERT_TRUE(first.agrees() && second.agrees());
  announce(second, second_mac, second_ip);
  const auto frame = frame_to(second_mac, first_mac, whole_segment(50'000));
  first.send(frame, cut_at_1460);
  ASSERT_TRUE(second.waits_for(1));
  EXPECT_EQ(second.seen.front(), frame);
  EXPECT_EQ(plane_.count().frames_cut, 0U);
}

TEST_F(vm_links_test, segments_that_cannot_be_cut_or_have_no_single_receiver_are_refused) {
  auto first = join(links::offload_role::vm), second = join(links::offload_role::none);
  ASSERT_TRUE(first.agrees());
  announce(second, second_mac, second_ip);
  auto tiny = cut_at_1460;
  tiny.gso_size = 8;
  first.send(frame_to(second_mac, first_mac, whole_segment(50'000)), tiny);
  first.send(frame_to(net::mac_address::broadcast(), first_mac, whole_segment(50'000)), cut_at_1460);
  EXPECT_TRUE(eventually(5s, [&] { return plane_.count().frames_refused == 2; }));
  first.send(frame_to(second_mac, first_mac, datagram(first_ip, second_ip, "then")));
  ASSERT_TRUE(second.waits_for(1));
  EXPECT_EQ(second.seen.size(), 1U);
}

TEST_F(vm_links_test, links_say_whether_they_have_offload) {
  auto first = join(links::offload_role::vm), second = join(links::offload_role::none);
  ASSERT_TRUE(first.agrees());
  const auto all = plane_.links();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].offload);
  EXPECT_FALSE(all[1].offload);
}

// The second VM would get the first one's frames.
TEST_F(vm_links_test, a_vm_that_sends_with_anothers_mac_takes_none_of_its_frames) {
  auto first = join(links::offload_role::none), second = join(links::offload_role::none);
  announce(first, first_mac, first_ip);
  announce(second, second_mac, second_ip);
  const auto at = link_of(first_mac);
  second.send(frame_to(gateway_mac, first_mac, datagram(second_ip, gateway, "false")));
  second.send(frame_to(second_mac, first_mac, datagram({0x0a00'0001}, second_ip, "false")));
  bytes probe(netstack::ethernet::header_size + netstack::arp::message_size);
  netstack::ethernet::write_header(probe, net::mac_address::broadcast(), first_mac, netstack::ethernet::ethertype::arp);
  netstack::arp::write(std::span(probe).subspan(netstack::ethernet::header_size),
                       {.what = netstack::arp::operation::request,
                        .sender_mac = first_mac,
                        .sender = {},
                        .target_mac = {},
                        .target = first_ip});
  second.send(probe);
  second.send(frame_to(first_mac, second_mac, datagram(second_ip, first_ip, "true")));
  ASSERT_TRUE(first.waits_for(2));  // the probe, and the last one
  EXPECT_EQ(link_of(first_mac), at);
  EXPECT_EQ(link_of(second_mac), at.value_or(0) + 1);
}

TEST_F(vm_links_test, a_vm_without_an_address_is_shown) {
  auto first = join(links::offload_role::none);
  constexpr net::mac_address nameless{{2, 0, 0, 0, 0, 3}};
  first.send(frame_to(net::mac_address::broadcast(), nameless, datagram({}, {0xffff'ffff}, "DISCOVER")));
  EXPECT_TRUE(eventually(5s, [&] { return link_of(nameless).has_value(); }));
  first.send(frame_to(gateway_mac, {{2, 0, 0, 0, 0, 4}}, datagram({0x0a00'0001}, gateway, "false")));
  first.send(frame_to(gateway_mac, first_mac, datagram(first_ip, gateway, "true")));
  EXPECT_TRUE(eventually(5s, [&] { return link_of(first_mac).has_value(); }));
  EXPECT_FALSE(link_of({{2, 0, 0, 0, 0, 4}}));
}

// A VM's socket of datagrams that is not read, and a port of the host that sends to it.
class full_queue_test : public vm_links_test {
 protected:
  full_queue_test() : host_(socket_at("host")), vm_(socket_at("vm")) {
    const auto to = name("host");
    EXPECT_TRUE(plane_.add_link(links::datagram_link(std::move(host_)), ignore_));
    const auto here = frame_to(gateway_mac, first_mac, datagram(first_ip, gateway, "here"));
    EXPECT_EQ(::sendto(vm_.get(), here.data(), here.size(), 0, to.get(), to.size), std::ssize(here));
    EXPECT_TRUE(eventually(5s, [&] { return link_of(first_mac).has_value(); }));
    dropped_before_ = status().counters.dropped;  // the stack's questions, when there was no peer
  }
  [[nodiscard]] net::socket_address name(const char* of) const {
    return net::to_sockaddr(net::stream_address(net::unix_path{directory_ / of}));
  }
  [[nodiscard]] base::unique_fd socket_at(const char* of) const {
    base::unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto at = name(of);
    EXPECT_EQ(::bind(fd.get(), at.get(), at.size), 0);
    return fd;
  }
  // Datagrams of a client of the host, which the VM's queue does not take.
  void fill_queue() {
    const base::unique_fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto at = net::to_sockaddr(net::endpoint{net::address::loopback_v4(), 0});
    base::unique_fd free(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(free.get(), at.get(), at.size), 0);
    ASSERT_EQ(::getsockname(free.get(), at.get(), &at.size), 0);
    free.reset();
    ASSERT_TRUE(plane_.expose(net::protocol::udp, *net::from_sockaddr(at), {first_ip, 53}));
    ASSERT_TRUE(eventually(10s, [&] {
      for (int i = 0; i < 100; ++i) static_cast<void>(::sendto(client.get(), "x", 1, 0, at.get(), at.size));
      return status().blocked;
    }));
  }
  link_status status() { return plane_.links().at(0); }
  std::size_t receive() {
    std::size_t count = 0;
    std::array<std::uint8_t, 2'048> frame{};
    while (::recv(vm_.get(), frame.data(), frame.size(), MSG_DONTWAIT) > 0) ++count;
    return count;
  }

  support::temp_dir directory_;
  base::unique_fd host_, vm_;
  std::uint64_t dropped_before_ = 0;
};

TEST_F(full_queue_test, a_peer_that_does_not_read_costs_no_spin) {
  fill_queue();
  const auto before = status().counters.writes;
  EXPECT_FALSE(eventually(500ms, [&] { return status().counters.writes > before + 500; }))
      << status().counters.writes - before;
  EXPECT_TRUE(status().blocked);
}

TEST_F(full_queue_test, a_peer_that_reads_again_gets_what_waits) {
  fill_queue();
  std::size_t got = 0;
  EXPECT_TRUE(eventually(10s, [&] {
    got += receive();
    return !status().blocked;
  }));
  got += receive();
  EXPECT_TRUE(eventually(5s, [&] {
    got += receive();
    const auto counters = status().counters;
    return got == counters.frames_out + dropped_before_ - counters.dropped;
  })) << got;
}

}  // namespace
}  // namespace translator
