#include "ports/port_table.hpp"

#include <gmock/gmock.h>

namespace ports {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

binding make(const char* address, std::uint16_t port, std::string owner, net::protocol protocol = net::protocol::tcp) {
  return {protocol, net::address::parse(address).value(), port, 80, std::move(owner), ""};
}
snapshot of(std::vector<binding> bindings, std::uint64_t epoch = 1) { return {std::move(bindings), {}, epoch}; }

TEST(port_table, merges_families_and_sources_into_one_key) {
  port_table table;
  table.publish(source_id::listeners, of({make("0.0.0.0", 8080, "docker-proxy")}));
  table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1"), make("::", 8080, "c1")}));
  ASSERT_THAT(table.ports(), SizeIs(1));
  const auto& claims = table.ports().begin()->second;
  ASSERT_THAT(claims, SizeIs(3));
  EXPECT_EQ(claims.front().source, source_id::docker);
}

TEST(port_table, a_key_stays_until_its_last_claim_goes) {
  port_table table;
  table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1")}));
  table.publish(source_id::iptables, of({make("0.0.0.0", 8080, "rule")}));
  table.publish(source_id::docker, of({}));
  EXPECT_THAT(table.ports(), ElementsAre(Pair(testing::_, SizeIs(1))));
  table.publish(source_id::iptables, of({}));
  EXPECT_THAT(table.ports(), testing::IsEmpty());
}

TEST(port_table, the_same_binding_twice_is_one) {
  port_table table;
  table.publish(source_id::listeners, of({make("0.0.0.0", 80, "s"), make("0.0.0.0", 80, "s")}));
  EXPECT_THAT(table.ports().begin()->second, SizeIs(1));
}

TEST(port_table, degraded_keeps_the_slice_until_the_next_publish) {
  port_table table;
  table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1")}));
  table.degraded(source_id::docker, {std::make_error_code(std::errc::connection_refused), "docker"});
  EXPECT_THAT(table.ports(), SizeIs(1));
  EXPECT_TRUE(table.source(source_id::docker).trouble);
  EXPECT_TRUE(table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1")}))) << "being well again is a change";
  EXPECT_FALSE(table.source(source_id::docker).trouble);
}

TEST(port_table, a_rank_belongs_to_one_source) {
  port_table table;
  table.enable(source_id::docker);
  EXPECT_NO_THROW(table.enable(source_id::docker));
  EXPECT_THROW(table.enable(source_id{0, "another"}), std::logic_error);
  EXPECT_FALSE(table.source(source_id{7, "silent"}).enabled);
}

TEST(port_table, unchanged_snapshots_change_nothing) {
  port_table table;
  table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1")}));
  const auto before = table.ports();
  EXPECT_FALSE(table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1")})));
  EXPECT_TRUE(table.publish(source_id::docker, of({make("0.0.0.0", 8080, "c1")}, 2)));
  EXPECT_EQ(table.ports(), before);
  EXPECT_EQ(table.epoch(), 2U);
}

TEST(port_table, its_revision_grows_with_what_a_plan_depends_on) {
  port_table table;
  const auto grows = [&](const snapshot& next) {
    const auto before = table.revision();
    table.publish(source_id::docker, next);
    return table.revision() > before;
  };
  auto next = of({});
  EXPECT_TRUE(grows(next)) << "the source is settled";
  EXPECT_FALSE(grows(next));
  next.bindings = {make("0.0.0.0", 80, "c1")};
  EXPECT_TRUE(grows(next));
  next.without_ports = {{"c2", "job"}};
  next.refusals = {{"c3", "9/sctp", "no"}};
  EXPECT_FALSE(grows(next)) << "the status alone shows these";
  next.epoch = 2;
  EXPECT_TRUE(grows(next));
}

TEST(port_table, only_enabled_sources_are_waited_for) {
  port_table table;
  table.enable(source_id::docker);
  EXPECT_FALSE(table.settled()[source_id::docker.rank()]);
  EXPECT_TRUE(table.settled()[source_id::kubernetes.rank()]);
  table.degraded(source_id::docker, {});
  EXPECT_FALSE(table.settled().all());
  table.publish(source_id::docker, of({}));
  EXPECT_TRUE(table.settled().all());
}

TEST(port_table, is_deterministic) {
  port_table one, other;
  one.publish(source_id::docker, of({make("127.0.0.1", 80, "a"), make("::1", 80, "b")}));
  other.publish(source_id::docker, of({make("::1", 80, "b"), make("127.0.0.1", 80, "a")}));
  EXPECT_EQ(one.ports(), other.ports());
  EXPECT_EQ(one.ports().begin()->second.front().what.owner, "a");
}

}  // namespace
}  // namespace ports
