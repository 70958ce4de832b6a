#include "netstack/stack/send_order.hpp"

#include <gtest/gtest.h>

#include <map>

namespace netstack {
namespace {

TEST(send_order, bulk_flows_share_evenly) {
  send_order order;
  for (std::uint32_t flow = 0; flow < 64; ++flow) order.add(flow);
  std::map<std::uint32_t, std::size_t> sent;
  for (int frame = 0; frame < 64 * 100; ++frame) {
    const auto flow = *order.current();
    ++sent[flow];
    order.sent(flow, 1'514);
  }
  for (const auto& [flow, frames] : sent) EXPECT_NEAR(static_cast<double>(frames), 100.0, 12.0) << flow;
}

TEST(send_order, a_short_answer_comes_before_bulk_flows) {
  send_order order;
  for (std::uint32_t flow = 0; flow < 3; ++flow) {
    order.add(flow);
    order.sent(flow, send_order::quantum);
  }
  order.add(7);
  EXPECT_EQ(order.current(), 7U);
  order.sent(7, 100);
  EXPECT_EQ(order.current(), 7U);
  order.done(7);
  EXPECT_EQ(order.current(), 0U);
  order.add(0);  // is there already
  order.done(0);
  EXPECT_EQ(order.current(), 1U);
  order.done(1);
  order.done(2);
  EXPECT_EQ(order.current(), 7U);  // it had gone to the end
  order.done(7);
  EXPECT_FALSE(order.current());
}

TEST(send_order, flows_that_come_again_and_again_do_not_starve_a_bulk_flow) {
  send_order order;
  order.add(0);
  order.sent(0, send_order::quantum);
  std::size_t bulk = 0;
  for (int turn = 0; turn < 1'000; ++turn) {
    for (const std::uint32_t flow : {1U, 2U}) order.add(flow);
    const auto flow = *order.current();
    order.sent(flow, flow == 0 ? 1'514 : 60);
    bulk += flow == 0 ? 1 : 0;
    if (flow != 0) order.done(flow);
  }
  EXPECT_GT(bulk, 500U);
}

TEST(send_order, a_flow_that_is_gone_has_no_turn) {
  send_order order;
  for (const std::uint32_t flow : {0U, 1U}) order.add(flow);
  order.sent(0, send_order::quantum);
  order.remove(1);
  EXPECT_EQ(order.current(), 0U);
  order.remove(0);
  EXPECT_FALSE(order.current());
}

}  // namespace
}  // namespace netstack
