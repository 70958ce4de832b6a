#include "ports/source_id.hpp"

#include <gmock/gmock.h>

#include <set>

namespace ports {
namespace {

// The journal, the status and the log of earlier versions have these.
TEST(source_id, names_stay_as_they_are) {
  std::vector<std::string_view> names;
  for (const auto& id : registered_sources) names.push_back(to_string(id));
  EXPECT_THAT(names, testing::ElementsAre("docker", "containerd", "kubernetes", "iptables", "listeners", "status-page",
                                          "static"));
}

TEST(source_id, a_name_is_read_back) {
  for (const auto& id : registered_sources) {
    const auto read = parse_source(to_string(id));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->name(), id.name());
  }
  EXPECT_EQ(parse_source("unknown"), std::nullopt);
  EXPECT_EQ(parse_source(""), std::nullopt);
}

TEST(source_id, a_source_outside_the_registry_is_read_where_it_is_known) {
  static constexpr source_id other{7, "other"};
  EXPECT_EQ(parse_source("other"), std::nullopt);
  EXPECT_EQ(parse_source("other", std::array{other}), other);
  EXPECT_EQ(parse_source("docker", std::array{other}), std::nullopt);
}

TEST(source_id, ranks_are_unique_and_ordered) {
  std::set<std::size_t> ranks;
  for (const auto& id : registered_sources) ranks.insert(id.rank());
  EXPECT_EQ(ranks.size(), registered_sources.size());
  EXPECT_TRUE(std::ranges::is_sorted(registered_sources));
  EXPECT_LT(source_id(7, "new"), source_id::fixed) << "a static port ranks behind every other claim";
}

TEST(source_id, only_sockets_may_be_the_port_of_another_source) {
  for (const auto& id : registered_sources) EXPECT_EQ(id.sees_any_ports(), id == source_id::listeners) << id.name();
}

}  // namespace
}  // namespace ports
