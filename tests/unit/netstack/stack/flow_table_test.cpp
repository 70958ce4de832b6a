#include "netstack/stack/flow_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace netstack {
namespace {

flow_key key(std::uint32_t number) {
  return {.vm = {{0xc0a87f02}, static_cast<std::uint16_t>(number)}, .peer = {{number >> 16U}, 80}};
}

TEST(flow_table, the_same_as_a_map_under_random_changes) {
  std::mt19937 random(5);
  flow_table table{keyed_hash({1, 2, 3})};
  std::map<std::uint32_t, std::uint32_t> model;
  for (std::uint32_t step = 0; step < 20'000; ++step) {
    const auto number = static_cast<std::uint32_t>(random() % 600);
    if (model.contains(number)) {
      ASSERT_EQ(table.find(key(number)), model[number]);
      if (random() % 2 == 0) {
        table.remove(key(number));
        model.erase(number);
      }
    } else {
      ASSERT_FALSE(table.find(key(number)));
      table.add(key(number), step);
      model[number] = step;
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

TEST(flow_table, every_part_of_the_key_counts) {
  flow_table table{keyed_hash({})};
  const flow_key k{.vm = {{1}, 2}, .peer = {{3}, 4}};
  table.add(k, 9);
  EXPECT_EQ(table.find(k), 9U);
  EXPECT_FALSE(table.find({.vm = {{1}, 2}, .peer = {{3}, 5}}));
  EXPECT_FALSE(table.find({.vm = {{1}, 2}, .peer = {{4}, 4}}));
  EXPECT_FALSE(table.find({.vm = {{1}, 3}, .peer = {{3}, 4}}));
  EXPECT_FALSE(table.find({.vm = {{3}, 4}, .peer = {{1}, 2}}));
  table.remove(key(77));  // not there
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace netstack
