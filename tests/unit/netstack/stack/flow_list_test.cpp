#include "netstack/stack/flow_list.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/netstack/packets.hpp"

namespace netstack {
namespace {

constexpr flow_key first{.vm = {vm, 1}, .peer = {gateway, 80}}, second{.vm = {vm, 2}, .peer = {gateway, 80}};

class flow_list_test : public testing::Test {
 protected:
  std::uint32_t add(const flow_key& key) {
    const auto index = all_.add(key);
    all_[index].machine = std::make_unique<tcp::connection>(tcp::connection::open({}, {}, {}));
    return index;
  }
  flow_list all_{keyed_hash(tcp::secret{})};
};

TEST_F(flow_list_test, a_flow_is_found_by_its_key_and_by_its_id) {
  const auto a = add(first), b = add(second);
  EXPECT_EQ(all_.size(), 2U);
  EXPECT_EQ(all_.find(first), a);
  EXPECT_EQ(all_.find_owned(all_.id_of(b)), &all_[b]);
  EXPECT_TRUE(all_[a].owned);
  EXPECT_EQ(all_[b].key, second);
}

TEST_F(flow_list_test, a_place_is_used_again_and_the_old_id_finds_nothing) {
  const auto a = add(first);
  const auto id = all_.id_of(a);
  all_.remove(a);
  EXPECT_EQ(all_.size(), 0U);
  EXPECT_FALSE(all_.find(first));
  EXPECT_EQ(all_.find_owned(id), nullptr);
  EXPECT_EQ(add(second), a);
  EXPECT_EQ(all_.find_owned(id), nullptr);
  EXPECT_NE(all_.find_owned(all_.id_of(a)), nullptr);
}

TEST_F(flow_list_test, the_owner_does_not_find_a_flow_that_is_no_longer_its_own) {
  const auto a = add(first);
  all_[a].owned = false;
  EXPECT_EQ(all_.find_owned(all_.id_of(a)), nullptr);
  EXPECT_EQ(all_.find(first), a) << "its segments do";
}

TEST_F(flow_list_test, a_generation_is_never_zero) {
  const auto a = add(first);
  EXPECT_NE(all_.id_of(a).generation, 0U);
  all_[a].generation = 0xffff'ffff;
  all_.remove(a);
  EXPECT_EQ(add(second), a);
  EXPECT_EQ(all_.id_of(a).generation, 1U);
  EXPECT_EQ(all_.find_owned({a + 1, 1}), nullptr) << "no such place";
}

}  // namespace
}  // namespace netstack
