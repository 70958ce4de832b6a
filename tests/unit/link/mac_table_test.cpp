#include "link/mac_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace links {
namespace {

using namespace std::chrono_literals;

net::mac_address mac(std::uint32_t n) {
  return {{2, 0, static_cast<std::uint8_t>(n >> 24U), static_cast<std::uint8_t>(n >> 16U),
           static_cast<std::uint8_t>(n >> 8U), static_cast<std::uint8_t>(n)}};
}

class mac_table_test : public testing::Test {
 protected:
  mac_table table_;
  mac_table::time_point now_{1h};
};

TEST_F(mac_table_test, a_station_is_found_where_it_was_seen_last) {
  table_.learn(mac(1), 10, now_);
  table_.learn(mac(2), 20, now_);
  EXPECT_EQ(table_.find(mac(1), now_), 10U);
  table_.learn(mac(1), 20, now_);
  EXPECT_EQ(table_.find(mac(1), now_), 20U);
  EXPECT_EQ(table_.counters().moved, 1U);
  EXPECT_EQ(table_.size(), 2U);
}

TEST_F(mac_table_test, a_frame_refreshes_its_station_where_it_is_known_alone) {
  EXPECT_FALSE(table_.refresh(mac(1), 10, now_));
  EXPECT_FALSE(table_.knows(mac(1), now_));
  EXPECT_EQ(table_.size(), 0U);
  table_.learn(mac(1), 10, now_);
  EXPECT_FALSE(table_.refresh(mac(1), 20, now_ + 1s));
  EXPECT_EQ(table_.find(mac(1), now_ + 1s), 10U);
  EXPECT_TRUE(table_.refresh(mac(1), 10, now_ + mac_table::lifetime));
  EXPECT_EQ(table_.find(mac(1), now_ + 2 * mac_table::lifetime), 10U);
  EXPECT_TRUE(table_.knows(mac(1), now_ + 2 * mac_table::lifetime));
  EXPECT_FALSE(table_.knows(mac(1), now_ + 2 * mac_table::lifetime + 1s));
  EXPECT_FALSE(table_.refresh(mac(1), 10, now_ + 2 * mac_table::lifetime + 1s));
}

TEST_F(mac_table_test, an_unknown_station_is_counted) {
  EXPECT_FALSE(table_.find(mac(1), now_));
  EXPECT_EQ(table_.counters().unknown, 1U);
}

TEST_F(mac_table_test, group_addresses_are_not_stations) {
  table_.learn(net::mac_address::broadcast(), 1, now_);
  table_.learn({}, 1, now_);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(mac_table_test, a_station_that_is_silent_is_forgotten) {
  table_.learn(mac(1), 1, now_);
  EXPECT_TRUE(table_.find(mac(1), now_ + mac_table::lifetime));
  EXPECT_FALSE(table_.find(mac(1), now_ + mac_table::lifetime + 1s));
  EXPECT_TRUE(table_.stations(now_ + mac_table::lifetime + 1s).empty());
}

TEST_F(mac_table_test, a_link_that_invents_addresses_harms_only_itself) {
  table_.learn(mac(1), 1, now_);
  for (std::uint32_t i = 0; i < 100'000; ++i) table_.learn(mac(1000 + i), 2, now_ + std::chrono::milliseconds(i));
  EXPECT_EQ(table_.size(), 1 + mac_table::most_of_link);
  EXPECT_EQ(table_.find(mac(1), now_), 1U);
  EXPECT_EQ(table_.find(mac(1000 + 99'999), now_), 2U) << "the newest stays";
  EXPECT_FALSE(table_.find(mac(1000), now_));
  EXPECT_EQ(table_.counters().replaced, 100'000 - mac_table::most_of_link);
}

TEST_F(mac_table_test, a_full_table_refuses_until_entries_age) {
  for (std::uint32_t i = 0; i < mac_table::most_stations; ++i) table_.learn(mac(i), i / 32, now_);
  table_.learn(mac(9999), 99, now_);
  EXPECT_EQ(table_.counters().refused, 1U);
  EXPECT_FALSE(table_.find(mac(9999), now_));
  const auto later = now_ + mac_table::lifetime + 1s;
  table_.learn(mac(9999), 99, later);
  EXPECT_EQ(table_.find(mac(9999), later), 99U);
  EXPECT_EQ(table_.size(), mac_table::most_stations);
}

// Second and third VM on one network: 100 joins and leaves leave no entry behind.
TEST_F(mac_table_test, a_hundred_joins_and_leaves_leave_nothing) {
  for (std::uint32_t i = 0; i < 100; ++i) {
    for (std::uint32_t station = 0; station < 20; ++station) table_.learn(mac(i * 1000 + station), i, now_);
    table_.forget(i);
    EXPECT_EQ(table_.size(), 0U);
  }
  EXPECT_TRUE(table_.stations(now_).empty());
}

TEST_F(mac_table_test, each_frame_prolongs_the_life_of_its_station_alone) {
  table_.learn(mac(1), 1, now_);
  table_.learn(mac(2), 1, now_);
  for (int i = 1; i <= 10; ++i) {
    const auto later = now_ + i * (mac_table::lifetime - 1s);
    table_.learn(mac(1), 1, later);
    EXPECT_TRUE(table_.find(mac(1), later + mac_table::lifetime));
  }
  const auto later = now_ + 10 * (mac_table::lifetime - 1s);
  EXPECT_FALSE(table_.find(mac(2), later));
  ASSERT_EQ(table_.stations(later).size(), 1U);
  EXPECT_EQ(table_.stations(later)[0].seen, later);
}

TEST_F(mac_table_test, a_station_that_has_aged_out_comes_back_where_it_is_now) {
  table_.learn(mac(1), 1, now_);
  const auto later = now_ + mac_table::lifetime + 1s;
  EXPECT_FALSE(table_.find(mac(1), later));
  table_.learn(mac(1), 2, later);
  EXPECT_EQ(table_.find(mac(1), later), 2U);
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(mac_table_test, a_station_at_its_links_bound_keeps_its_place_when_it_is_seen_again) {
  for (std::uint32_t i = 0; i < mac_table::most_of_link; ++i) table_.learn(mac(i), 1, now_ + std::chrono::seconds(i));
  table_.learn(mac(0), 1, now_ + 100s);
  EXPECT_EQ(table_.counters().replaced, 0U);
  table_.learn(mac(1'000), 1, now_ + 101s);
  EXPECT_TRUE(table_.find(mac(0), now_ + 101s));
  EXPECT_FALSE(table_.find(mac(1), now_ + 101s)) << "the one not seen for longest";
}

// Against a map that forgets nothing by itself.
TEST_F(mac_table_test, does_what_a_map_would_do) {
  std::mt19937 random(7);
  std::map<net::mac_address, link_id> model;
  for (int step = 0; step < 50'000; ++step) {
    const auto station = mac(random() % 200);
    const link_id link = random() % 8;
    if (random() % 500 == 0) {
      table_.forget(link);
      std::erase_if(model, [link](const auto& entry) { return entry.second == link; });
    } else if (std::ranges::count(model, link, [](const auto& e) { return e.second; }) < 60 ||
               model.contains(station)) {
      table_.learn(station, link, now_);
      model[station] = link;
    }
    const auto asked = mac(random() % 200);
    const auto found = table_.find(asked, now_);
    ASSERT_EQ(found.has_value(), model.contains(asked));
    if (found) ASSERT_EQ(*found, model.at(asked));
  }
  EXPECT_EQ(table_.size(), model.size());
}

}  // namespace
}  // namespace links
