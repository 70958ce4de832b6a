#include "translator/outgoing_datagrams.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <memory>

#include "tests/support/socket_peer.hpp"
#include "tests/unit/netstack/packets.hpp"
#include "translator/icmp_errors.hpp"

namespace translator {
namespace {

using netstack::bytes;
using netstack::text;

constexpr netstack::ipv4::address localhost{0x7f00'0001};

netstack::action::datagram to_port(std::uint16_t port, const bytes& payload, std::uint8_t ttl = 64) {
  return {.from = {netstack::vm, 5'000},
          .asked = {{0xc0a8'7ffe}, port},
          .to = {localhost, port},
          .payload = payload,
          .ttl = ttl};
}

class outgoing_datagrams_test : public testing::Test {
 protected:
  outgoing_datagrams_test() : fd_(support::make_socket(SOCK_DGRAM, net::address::loopback_v4())) {}
  static std::uint16_t port_of(const base::unique_fd& server) { return support::local_endpoint(server.get()).port; }
  static base::unique_fd server() { return support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 0}); }
  static std::string receive(const base::unique_fd& from) {
    std::array<char, 100> got{};
    const auto size = ::recv(from.get(), got.data(), got.size(), 0);
    return size < 0 ? "nothing" : std::string(got.data(), static_cast<std::size_t>(size));
  }
  static bool is_empty(const base::unique_fd& one) {
    char byte = 0;
    return ::recv(one.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  base::unique_fd fd_;
  std::unique_ptr<outgoing_datagrams> all_ = std::make_unique<outgoing_datagrams>();
  outgoing_datagrams::outcome done_;
};

TEST_F(outgoing_datagrams_test, a_full_one_leaves_as_it_was_collected_and_is_empty_then) {
  const auto a = server(), b = server();
  std::vector<bytes> payloads;
  payloads.reserve(outgoing_datagrams::capacity);
  EXPECT_TRUE(all_->empty());
  while (!all_->is_full()) {
    const auto& payload = payloads.emplace_back(text(std::to_string(payloads.size())));
    all_->add(to_port(port_of(payloads.size() % 2 == 1 ? a : b), payload));
  }
  EXPECT_EQ(payloads.size(), outgoing_datagrams::capacity);
  all_->send(fd_.get(), done_);
  EXPECT_TRUE(all_->empty());
  EXPECT_EQ(done_.dropped, 0U);
  EXPECT_EQ(done_.failures, 0U);
  for (std::size_t i = 0; i < payloads.size(); ++i) EXPECT_EQ(receive(i % 2 == 0 ? a : b), std::to_string(i));
  all_->send(fd_.get(), done_);
  EXPECT_TRUE(is_empty(a));
}

TEST_F(outgoing_datagrams_test, an_empty_datagram_is_one) {
  const auto a = server();
  const auto more = text("more");
  all_->add(to_port(port_of(a), {}));
  all_->add(to_port(port_of(a), more));
  all_->send(fd_.get(), done_);
  EXPECT_EQ(receive(a), "");
  EXPECT_EQ(receive(a), "more");
}

TEST_F(outgoing_datagrams_test, one_that_the_kernel_refuses_is_named_and_the_others_leave) {
  const auto a = server();
  const auto one = text("1"), two = text("2");
  all_->add(to_port(port_of(a), one));
  all_->add(to_port(0, two));  // no port
  all_->add(to_port(port_of(a), two));
  all_->send(fd_.get(), done_);
  ASSERT_EQ(done_.failures, 1U);
  EXPECT_EQ(done_.failed[0].asked, (netstack::endpoint{{0xc0a8'7ffe}, 0}));
  EXPECT_EQ(done_.failed[0].error, EINVAL);
  EXPECT_EQ(receive(a), "1");
  EXPECT_EQ(receive(a), "2");
}

TEST_F(outgoing_datagrams_test, all_may_be_refused) {
  const auto one = text("1");
  while (!all_->is_full()) all_->add(to_port(0, one));
  all_->send(fd_.get(), done_);
  EXPECT_EQ(done_.failures, outgoing_datagrams::capacity);
  EXPECT_TRUE(all_->empty());
}

// The kernel reports the refusal of a datagram with a later call, which sends nothing.
TEST_F(outgoing_datagrams_test, the_error_of_an_earlier_datagram_is_no_failure_of_the_next) {
  ASSERT_TRUE(ask_for_errors(fd_.get()));
  const auto a = server();
  const auto one = text("1");
  const auto closed = support::free_port(SOCK_DGRAM);
  for (int i = 0; i < 10; ++i) {
    all_->add(to_port(closed, one));
    all_->add(to_port(port_of(a), one));
    all_->send(fd_.get(), done_);
    EXPECT_EQ(done_.failures, 0U) << i;
    EXPECT_EQ(receive(a), "1");
  }
}

TEST_F(outgoing_datagrams_test, a_low_ttl_is_passed_on_and_another_is_the_hosts) {
  const auto a = server();
  const int on = 1;
  ASSERT_EQ(::setsockopt(a.get(), IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
  const auto one = text("1");
  all_->add(to_port(port_of(a), one, 3));
  all_->add(to_port(port_of(a), one, 63));
  all_->add(to_port(port_of(a), one, 1));
  all_->send(fd_.get(), done_);
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) {
    alignas(cmsghdr) std::array<char, 64> control{};
    char byte = 0;
    iovec vector{&byte, 1};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ASSERT_EQ(::recvmsg(a.get(), &message, 0), 1);
    const auto* const c = CMSG_FIRSTHDR(&message);
    ASSERT_NE(c, nullptr);
    seen.push_back(*reinterpret_cast<const int*>(CMSG_DATA(c)));
  }
  EXPECT_EQ(seen, (std::vector<int>{3, 64, 1}));
}

}  // namespace
}  // namespace translator
