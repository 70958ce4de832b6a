#include "relay/flow_table.hpp"

#include <gtest/gtest.h>

#include <set>

namespace relay {
namespace {

using table = flow_table<int>;
using std::chrono::seconds;

class flows : public testing::Test {
 protected:
  const int first_port_ = 0, second_port_ = 0;  // their addresses stand for listeners
  table table_;
  table::time_point now_{};

  table::key key(std::uint8_t client, std::uint16_t port, const int* listener = nullptr) const {
    return {listener == nullptr ? &first_port_ : listener, {net::address::v4(192, 0, 2, client), port}};
  }
  table::entry& add(const table::key& id) { return table_.add(id, std::make_unique<int>(0), now_ += seconds(1)); }
};

TEST_F(flows, finds_what_was_added) {
  add(key(1, 10));
  EXPECT_NE(table_.find(key(1, 10)), nullptr);
  EXPECT_EQ(table_.find(key(1, 11)), nullptr);
  EXPECT_EQ(table_.find(key(1, 10, &second_port_)), nullptr);
  table_.remove(*table_.find(key(1, 10)));
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(table_.idle_for_longest(), nullptr);
  EXPECT_EQ(table_.to_make_room_for(key(1, 10)), nullptr);
}

TEST_F(flows, while_clients_have_one_each_the_one_idle_for_longest_makes_room) {
  for (std::uint8_t client = 1; client <= 5; ++client) add(key(client, 10));
  table_.touch(*table_.find(key(1, 10)), now_ += seconds(1));
  EXPECT_EQ(table_.to_make_room_for(key(9, 10))->id, key(2, 10));
}

TEST_F(flows, the_client_with_most_flows_makes_room) {
  add(key(1, 10));
  for (std::uint16_t port = 1; port <= 5; ++port) add(key(2, port));
  EXPECT_EQ(table_.to_make_room_for(key(3, 10))->id, key(2, 1));
  table_.touch(*table_.find(key(2, 1)), now_ += seconds(1));
  EXPECT_EQ(table_.to_make_room_for(key(3, 10))->id, key(2, 2)) << "its own longest idle flow";
}

TEST_F(flows, a_client_that_floods_one_port_displaces_itself_alone) {
  for (std::uint8_t client = 1; client <= 8; ++client) add(key(client, 10));
  for (std::uint16_t port = 1; port <= 1'000; ++port) {
    if (table_.size() == 16) table_.remove(*table_.to_make_room_for(key(99, port)));
    add(key(99, port));
  }
  for (std::uint8_t client = 1; client <= 8; ++client) EXPECT_NE(table_.find(key(client, 10)), nullptr) << +client;
}

TEST_F(flows, the_same_client_at_another_port_has_a_share_of_its_own) {
  add(key(1, 7, &second_port_));
  for (std::uint16_t port = 1; port <= 100; ++port) {
    if (table_.size() == 10) table_.remove(*table_.to_make_room_for(key(1, port)));
    add(key(1, port));
  }
  EXPECT_NE(table_.find(key(1, 7, &second_port_)), nullptr);
}

TEST_F(flows, a_listener_s_flows_are_found_until_none_is_left) {
  add(key(1, 1)), add(key(2, 2)), add(key(1, 1, &second_port_));
  std::size_t removed = 0;
  for (auto* one = table_.of_listener(&first_port_); one != nullptr; one = table_.of_listener(&first_port_), ++removed)
    table_.remove(*one);
  EXPECT_EQ(removed, 2U);
  EXPECT_EQ(table_.size(), 1U);
}

}  // namespace
}  // namespace relay
