#include "tests/soak/plan.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace soak {
namespace {

constexpr int many = 20'000;

std::vector<operation> first(std::uint64_t seed, int count) {
  plan p(seed);
  std::vector<operation> all;
  for (int i = 0; i < count; ++i) all.push_back(p.next());
  return all;
}

TEST(soak_plan, is_a_function_of_the_seed) {
  EXPECT_EQ(first(7, 2'000), first(7, 2'000));
  EXPECT_NE(first(7, 2'000), first(8, 2'000));
}

TEST(soak_plan, orders_every_kind_and_kills_every_part) {
  std::set<kind> kinds;
  std::set<part> killed;
  for (const auto& o : first(1, many)) {
    kinds.insert(o.what);
    if (o.what == kind::kill) killed.insert(o.of);
  }
  for (auto what = kind::run_container; what <= kind::pause; what = static_cast<kind>(static_cast<int>(what) + 1))
    EXPECT_TRUE(kinds.contains(what)) << to_string(what);
  EXPECT_EQ(killed.size(), parts);
}

// Of each fault with an end, and of each part: begun and ended in turn, and ended at a pause.
TEST(soak_plan, all_faults_have_ended_at_a_pause) {
  const std::map<kind, kind> ends{
      {kind::start, kind::kill},          {kind::resume, kind::stall},         {kind::repair_link, kind::impair_link},
      {kind::free_disk, kind::fill_disk}, {kind::repair_api, kind::break_api}, {kind::release_port, kind::occupy_port}};
  std::set<std::pair<kind, part>> open;
  int pauses = 0;
  for (const auto& o : first(2, many)) {
    if (is_fault(o.what) && o.what != kind::jump && !(o.what == kind::kill && o.of == part::vm_switch))
      EXPECT_TRUE(open.insert({o.what, o.of}).second) << to_text(o);
    if (const auto end = ends.find(o.what); end != ends.end())
      EXPECT_EQ(open.erase({end->second, o.of}), 1U) << to_text(o);
    if (o.what != kind::pause) continue;
    ++pauses;
    EXPECT_TRUE(open.empty());
  }
  EXPECT_GT(pauses, 100);
}

TEST(soak_plan, asks_nothing_of_docker_while_it_is_away) {
  bool away = false;
  for (const auto& o : first(3, many)) {
    if (o.of == part::dockerd && o.what == kind::kill) away = true;
    if (o.of == part::dockerd && o.what == kind::start) away = false;
    EXPECT_FALSE(away && o.what <= kind::remove_container) << to_text(o);
  }
}

TEST(soak_plan, kills_no_agent_from_a_full_disk_to_the_next_pause) {
  bool spared = false;
  for (const auto& o : first(4, many)) {
    if (o.what == kind::fill_disk) spared = true;
    if (o.what == kind::pause) spared = false;
    EXPECT_FALSE(spared && o.what == kind::kill && o.of == part::agent);
  }
}

TEST(soak_plan, a_pause_can_be_asked_for) {
  plan p(5);
  for (int i = 0; i < 20; ++i) static_cast<void>(p.next());
  p.pause_next();
  for (int i = 0; i < 10; ++i) {
    const auto o = p.next();
    EXPECT_FALSE(is_load(o.what) || is_fault(o.what));
    if (o.what == kind::pause) return;
  }
  FAIL() << "there is no pause";
}

}  // namespace
}  // namespace soak
