#include "netstack/dns/pending.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

using std::chrono::milliseconds;

constexpr time_point start{std::chrono::seconds(1'000)};

client udp_client(std::uint16_t port, ipv4::address address = vm) {
  return {.address = address, .port = port, .connection = 0, .transport = transport::udp};
}

class dns_pending : public testing::Test {
 protected:
  static constexpr pending_limits limits{
      .most = 8, .most_of_client = 4, .most_of_connection = 2, .wait = milliseconds(100)};
  auto add(const client& from, std::uint16_t id = 1, time_point now = start) {
    return pending_.add(from, question{.id = id}.write(), now);
  }

  std::uint16_t random_ = 0;
  pending pending_{limits, [this] { return random_; }};
};

TEST_F(dns_pending, a_question_comes_back_once) {
  const auto a = add(udp_client(1)), b = add(udp_client(2));
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->upstream_id, b->upstream_id);  // though the random numbers are equal
  const auto back = pending_.take(a->token);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->from, udp_client(1));
  EXPECT_EQ(back->bytes, question{.id = 1}.write());
  EXPECT_FALSE(pending_.take(a->token));
  EXPECT_EQ(pending_.size(), 1U);
  EXPECT_FALSE(pending_.take({.slot = 999, .generation = 0}));
}

TEST_F(dns_pending, a_late_token_names_no_later_question) {
  const auto a = add(udp_client(1));
  pending_.take(a->token);
  const auto b = add(udp_client(2));
  EXPECT_EQ(a->token.slot, b->token.slot);
  EXPECT_FALSE(pending_.take(a->token));
  EXPECT_EQ(pending_.take(b->token)->from, udp_client(2));
}

TEST_F(dns_pending, a_repeated_question_is_not_asked_again) {
  ASSERT_TRUE(add(udp_client(1), 7));
  EXPECT_EQ(add(udp_client(1), 7).error(), pending::refusal::repeated);
  EXPECT_TRUE(add(udp_client(1), 8));  // another id
  EXPECT_TRUE(add(udp_client(2), 7));  // another port
  EXPECT_EQ(pending_.size(), 3U);
}

TEST_F(dns_pending, each_bound_refuses_the_newest) {
  for (std::uint16_t i = 0; i < 4; ++i) EXPECT_TRUE(add(udp_client(i)));
  EXPECT_EQ(add(udp_client(9)).error(), pending::refusal::full);  // of one client, whatever its ports
  for (std::uint16_t i = 0; i < 4; ++i) EXPECT_TRUE(add(udp_client(i, gateway)));
  EXPECT_EQ(add(udp_client(1, {0x0a000001})).error(), pending::refusal::full);
  EXPECT_EQ(pending_.size(), 8U);
}

TEST_F(dns_pending, a_connection_has_a_bound_of_its_own) {
  const client tcp{.address = vm, .port = 5, .connection = 77, .transport = transport::tcp};
  EXPECT_TRUE(add(tcp, 1));
  EXPECT_TRUE(add(tcp, 2));
  EXPECT_EQ(add(tcp, 3).error(), pending::refusal::full);
  EXPECT_TRUE(add(udp_client(5), 3));
  pending_.forget(77);
  EXPECT_EQ(pending_.size(), 1U);
  EXPECT_TRUE(add(tcp, 3));
}

TEST_F(dns_pending, a_question_expires_at_its_deadline) {
  EXPECT_EQ(pending_.wake_at(), time_point::max());
  const auto a = add(udp_client(1), 1, start);
  add(udp_client(2), 1, start + milliseconds(50));
  EXPECT_EQ(pending_.wake_at(), start + milliseconds(100));
  EXPECT_FALSE(pending_.take_expired(start + milliseconds(99)));
  EXPECT_EQ(pending_.take_expired(start + milliseconds(100))->from, udp_client(1));
  EXPECT_FALSE(pending_.take_expired(start + milliseconds(100)));
  EXPECT_FALSE(pending_.take(a->token));
  EXPECT_EQ(pending_.wake_at(), start + milliseconds(150));
}

TEST_F(dns_pending, ids_differ_also_where_they_wrap) {
  random_ = 65'534;
  std::set<std::uint16_t> ids;
  for (std::uint16_t i = 0; i < 4; ++i) ids.insert(add(udp_client(i))->upstream_id);
  EXPECT_EQ(ids, (std::set<std::uint16_t>{65'534, 65'535, 0, 1}));
}

}  // namespace
}  // namespace netstack::dns
