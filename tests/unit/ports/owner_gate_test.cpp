#include "ports/owner_gate.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds patience{1'000};

// A port of CNI's, beside containerd, and a rule that asks for a name.
class owner_gate_test : public testing::Test {
 protected:
  owner_gate_test() {
    table.enable(source_id::containerd);
    table.enable(source_id::iptables);
    rules::rule by_name;
    by_name.when.names = {rules::glob::parse("secret").value()};
    by_name.then.ignore = true;
    options.rules = std::make_shared<const rules::rule_set>(std::vector<rules::placed_rule>{{by_name, 1}});
    containerd_has({});
    table.publish(source_id::iptables, {{of("k8s-1", serving::nat_rule)}, {}, 1});
  }
  static binding of(const char* name, serving how) {
    return {net::protocol::tcp, net::address::any_v4(), 80, 80, "id", name, how};
  }
  void containerd_has(std::vector<binding> all) { table.publish(source_id::containerd, {std::move(all), {}, ++epoch}); }
  // When the port may be opened.
  time_point opens() {
    auto plan = plan_exposure(table, options);
    gate.hold_back(plan, table, now);
    const auto host = part_of(plan, peer_role::host);
    EXPECT_EQ(host.size(), 1U);
    return host.begin()->second.not_before;
  }

  time_point now{seconds(1'000)};
  std::uint64_t epoch = 0;
  port_table table;
  exposure_options options{.mode = network_mode::network_tunnel};
  owner_gate gate{patience};
};

TEST_F(owner_gate_test, waits_for_its_time_and_no_longer) {
  const auto began = now;
  EXPECT_EQ(opens(), began + patience);
  now += milliseconds(400);
  EXPECT_EQ(opens(), began + patience) << "a new plan does not begin it anew";
}

TEST_F(owner_gate_test, waits_while_the_source_that_knows_cannot_be_read) {
  table.degraded(source_id::containerd, {{}, "gone"});
  EXPECT_EQ(opens(), time_point::max());
  now += seconds(60);
  containerd_has({});
  EXPECT_EQ(opens(), now - seconds(60) + patience) << "it has waited long enough";
}

TEST_F(owner_gate_test, a_port_with_an_owner_does_not_wait) {
  containerd_has({of("web", serving::nat_rule)});
  EXPECT_EQ(opens(), time_point{});
  containerd_has({});
  EXPECT_EQ(opens(), now + patience) << "its container has ended, and its rule is still there";
}

TEST_F(owner_gate_test, without_a_rule_that_asks_for_owners_nothing_waits) {
  options.rules = nullptr;
  EXPECT_EQ(opens(), time_point{});
  rules::rule by_port;
  by_port.when.ports = rules::port_range{80, 80};
  options.rules = std::make_shared<const rules::rule_set>(std::vector<rules::placed_rule>{{by_port, 1}});
  EXPECT_EQ(opens(), time_point{});
}

}  // namespace
}  // namespace ports
