#include "netstack/stack/action_queue.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack {
namespace {

flow_id taken_from(action_queue& queue) {
  const auto next = queue.take();
  if (!next || !std::holds_alternative<action::readable>(*next)) return {};
  return std::get<action::readable>(*next).flow;
}

TEST(action_queue, gives_actions_in_the_order_of_their_adding) {
  action_queue queue;
  EXPECT_FALSE(queue.take());
  for (std::uint32_t i = 1; i <= 3; ++i) queue.add(action::readable{{i, 1}});
  EXPECT_EQ(taken_from(queue), (flow_id{1, 1}));
  queue.add(action::readable{{4, 1}});  // an answer to an action may cause another one
  for (std::uint32_t i = 2; i <= 4; ++i) EXPECT_EQ(taken_from(queue), (flow_id{i, 1}));
  EXPECT_FALSE(queue.take());
  queue.add(action::readable{{5, 1}});
  EXPECT_EQ(taken_from(queue), (flow_id{5, 1}));
  EXPECT_FALSE(queue.take());
}

TEST(action_queue, copies_stay_where_they_are_until_the_batch_ends) {
  action_queue queue;
  std::vector<bytes_view> views;
  for (std::uint8_t i = 0; i < 100; ++i) {
    bytes gone(1 + i * 10U, i);
    views.push_back(queue.keep(gone));
  }
  for (std::uint8_t i = 0; i < 100; ++i) EXPECT_EQ(to_bytes(views[i]), bytes(1 + i * 10U, i));
  EXPECT_TRUE(queue.keep({}).empty());
  queue.release();
  EXPECT_EQ(to_bytes(queue.keep(text("next batch"))), text("next batch"));
}

}  // namespace
}  // namespace netstack
