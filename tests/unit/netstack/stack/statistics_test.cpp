#include "netstack/stack/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

namespace netstack {
namespace {

TEST(statistics, every_counter_has_a_name_of_its_own_for_metrics) {
  std::set<std::string_view> names;
  for (const auto& one : statistics{}.all()) {
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
    EXPECT_FALSE(one.name.empty());
    EXPECT_TRUE(std::ranges::all_of(one.name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '6'; }))
        << one.name;
    EXPECT_EQ(one.value, 0U);
  }
  EXPECT_EQ(names.size(), statistics::count);
}

// A new field that all() leaves out would not be seen anywhere.
TEST(statistics, no_field_is_left_out_and_none_stands_for_another) {
  static_assert(sizeof(statistics) == statistics::count * sizeof(std::uint64_t));
  std::vector<std::uint64_t> values(statistics::count);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i + 1;
  statistics filled;
  std::memcpy(&filled, values.data(), sizeof filled);
  std::vector<std::uint64_t> named;
  for (const auto& one : filled.all()) named.push_back(one.value);
  std::ranges::sort(named);
  EXPECT_EQ(named, values);
}

TEST(statistics, what_is_held_now_is_a_gauge_and_all_else_a_counter) {
  std::set<std::string> gauges;
  for (const auto& one : statistics{}.all())
    if (one.is_gauge) gauges.emplace(one.name);
  EXPECT_EQ(gauges, (std::set<std::string>{"flows", "half_open", "neighbours", "fragments_waiting", "tcp_memory",
                                           "queued_bytes"}));
}

}  // namespace
}  // namespace netstack
