#include "programs/port_proxy/listener_table.hpp"

#include <gmock/gmock.h>

namespace port_proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using added = listener_table::added;

const auto busy = std::make_error_code(std::errc::address_in_use);
const auto denied = std::make_error_code(std::errc::permission_denied);

net::listen_key tcp(net::address ip, std::uint16_t port) { return {net::protocol::tcp, ip, port}; }
const auto loop = tcp(net::address::loopback_v4(), 80);
const auto wild = tcp(net::address::any_v4(), 80);

class listener_table_test : public testing::Test {
 protected:
  time_point now_{1h};
  listener_table table_{{100ms, 1000ms, 0}, 4};
};

TEST(listener_table_key, the_wildcards_are_one) {
  const port_mapping::binding v4{net::protocol::udp, 1, {net::address::any_v4(), 53}},
      v6{net::protocol::udp, 2, {net::address::any_v6(), 53}};
  EXPECT_EQ(key_of(v4), key_of(v6));
  EXPECT_EQ(to_string(key_of(v6)), "udp 0.0.0.0:53");
}

TEST_F(listener_table_test, a_new_one_is_due_once) {
  EXPECT_EQ(table_.add(loop, now_), added::now);
  EXPECT_EQ(table_.add(loop, now_), added::known);
  EXPECT_THAT(table_.due(now_, 9), ElementsAre(loop));
  table_.opened(loop);
  EXPECT_THAT(table_.due(now_ + 1h, 9), IsEmpty());
  EXPECT_EQ(table_.next_due(), time_point::max());
  EXPECT_EQ(table_.add(loop, now_), added::known);
}

TEST_F(listener_table_test, removes_exactly_the_key) {
  const net::listen_key udp{net::protocol::udp, net::address::any_v4(), 80};
  for (const auto& key : {loop, wild, udp}) {
    EXPECT_EQ(table_.add(key, now_), added::now);
    table_.opened(key);
  }
  EXPECT_EQ(table_.remove(loop, now_), true);
  EXPECT_EQ(table_.remove(loop, now_), std::nullopt);
  EXPECT_EQ(table_.size(), 2U);
  EXPECT_EQ(table_.remove(wild, now_), true);
  EXPECT_EQ(table_.remove(udp, now_), true);
}

TEST_F(listener_table_test, a_busy_port_is_tried_again_ever_more_slowly) {
  ASSERT_EQ(table_.add(loop, now_), added::now);
  EXPECT_TRUE(table_.failed(loop, busy, now_));
  EXPECT_THAT(table_.due(now_ + 99ms, 9), IsEmpty());
  EXPECT_EQ(table_.next_due(), now_ + 100ms);
  EXPECT_THAT(table_.due(now_ + 100ms, 9), ElementsAre(loop));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(table_.failed(loop, busy, now_));  // no news
  EXPECT_EQ(table_.next_due(), now_ + 1000ms);
  EXPECT_TRUE(table_.failed(loop, denied, now_));
  EXPECT_EQ(table_.remove(loop, now_), false);
  EXPECT_EQ(table_.waiting(), 0U);
}

TEST_F(listener_table_test, a_removal_makes_room_at_once) {
  const auto elsewhere = tcp(net::address::any_v4(), 81);
  for (const auto& key : {loop, wild, elsewhere}) ASSERT_EQ(table_.add(key, now_), added::now);
  table_.opened(loop);
  ASSERT_TRUE(table_.failed(wild, busy, now_));
  ASSERT_TRUE(table_.failed(elsewhere, busy, now_));
  EXPECT_EQ(table_.remove(loop, now_), true);
  EXPECT_THAT(table_.due(now_, 9), ElementsAre(wild));
}

// Ten thousand busy ports must not keep a core busy with one try a second each.
TEST_F(listener_table_test, the_tries_of_many_ports_take_a_bounded_share_of_the_time) {
  constexpr std::uint16_t many = 20'000;
  listener_table table({100ms, 1000ms, 0}, many);
  for (std::uint16_t port = 1; port <= many; ++port) ASSERT_EQ(table.add(tcp(loop.address, port), now_), added::now);
  int tries = 0;
  for (int round = 0; round < 10'000 && table.next_due() < now_ + 60s; ++round) {
    const auto at = std::max(table.next_due(), now_);
    for (const auto& key : table.due(at, many)) {
      ++tries;
      table.failed(key, busy, at);
    }
  }
  EXPECT_LE(tries, 2 * 60'000 + 10 * many) << "within a minute, beside the first ones";
  EXPECT_GE(tries, many * 4) << "each of them several times";
}

TEST_F(listener_table_test, is_bounded) {
  for (std::uint16_t port = 1; port <= 4; ++port) EXPECT_EQ(table_.add(tcp({}, port), now_), added::now);
  EXPECT_EQ(table_.add(tcp({}, 5), now_), added::full);
  EXPECT_EQ(table_.add(tcp({}, 4), now_), added::known);
  EXPECT_EQ(table_.due(now_, 3).size(), 3U);
  EXPECT_EQ(table_.remove(tcp({}, 1), now_), false);
  EXPECT_EQ(table_.add(tcp({}, 5), now_), added::now);
}

}  // namespace
}  // namespace port_proxy
