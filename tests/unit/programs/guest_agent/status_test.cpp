#include "programs/guest_agent/status.hpp"

#include <gmock/gmock.h>

namespace guest_agent {
namespace {

using ports::outcome_kind;
using std::chrono::seconds;

class status_test : public testing::Test {
 protected:
  void publish(std::vector<ports::binding> bindings) {
    table.enable(ports::source_id::docker);
    table.publish(ports::source_id::docker, {std::move(bindings), {{"c9", "9/sctp", "no"}}, 1});
    plan = plan_exposure(table, {ports::network_mode::network_tunnel});
    host.want(plan.host, table.settled(), 1, now);
    loopback.want(plan.loopback, table.settled(), 1, now);
  }
  void apply(outcome_kind kind, std::string reason = {}) {
    ASSERT_TRUE(host.should_list(now));
    static_cast<void>(host.listed(ports::peer_state{}, now));
    for (const auto& op : host.take(100, now)) host.finished(op, {kind, reason}, now);
  }
  json::object shown() {
    return describe(
        {"1.2.3",
         ports::network_mode::network_tunnel,
         &table,
         &plan,
         {{"host-switch", ports::peer_role::host, &host}, {"loopback", ports::peer_role::loopback, &loopback}},
         now - seconds(60),
         now,
         std::chrono::system_clock::from_time_t(1'700'000'000)});
  }
  const json::value& port(const json::object& shown_document, std::size_t i) {
    return shown_document.at("ports").at(i);
  }

  ports::time_point now{seconds(5000)};
  ports::port_table table;
  ports::exposure_plan plan;
  ports::reconcile_fsm host{{}, {}}, loopback{{1, 10, false, false}, {}};
  const ports::binding web{net::protocol::tcp, net::address::any_v4(), 8080, 80, "id1", "web"};
  const ports::binding db{net::protocol::tcp, net::address::loopback_v4(), 5432, 5432, "id2", "db"};
};

TEST_F(status_test, names_the_agent_its_sources_and_peers) {
  publish({web});
  apply(outcome_kind::done);
  const auto d = shown();
  EXPECT_EQ(d.at("version"), "1.2.3");
  EXPECT_EQ(d.at("started"), "2023-11-14T22:12:20Z");
  ASSERT_EQ(d.at("sources").as_array().size(), 1U) << "only what is enabled";
  EXPECT_EQ(d.at("sources").at(0).at("state"), "ok");
  EXPECT_EQ(d.at("sources").at(0).at("refusals").at(0).at("what"), "9/sctp");
  EXPECT_EQ(d.at("peers").at(0).at("applied"), 1);
}

TEST_F(status_test, an_applied_port_has_its_owner_and_time) {
  publish({web});
  apply(outcome_kind::done);
  now += seconds(5);
  const auto d = shown();
  EXPECT_EQ(port(d, 0).at("name"), "web");
  EXPECT_EQ(port(d, 0).at("container_port"), 80);
  ASSERT_EQ(port(d, 0).at("peers").as_array().size(), 1U) << "a wildcard needs no loopback rule";
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("state"), "applied");
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("since"), "2023-11-14T22:13:15Z");
}

TEST_F(status_test, a_conflict_has_the_peers_reason_and_the_next_try) {
  publish({db});
  apply(outcome_kind::conflict, "bind: address already in use");
  const auto d = shown();
  const auto& at_host = port(d, 0).at("peers").at(0);
  EXPECT_EQ(at_host.at("state"), "conflict");
  EXPECT_EQ(at_host.at("reason"), "bind: address already in use");
  EXPECT_GT(at_host.at("retry_in_ms").as_int64(), 0);
  EXPECT_EQ(port(d, 0).at("peers").at(1).at("state"), "pending") << "the loopback rule has another peer";
}

TEST_F(status_test, a_peer_that_is_down_is_named_at_every_port) {
  publish({web});
  ASSERT_TRUE(host.should_list(now));
  static_cast<void>(host.listed(base::fail(std::errc::connection_refused, "host-switch"), now));
  const auto d = shown();
  EXPECT_EQ(d.at("peers").at(0).at("state"), "down");
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("state"), "down");
}

TEST_F(status_test, what_is_open_and_not_wanted_any_more_is_shown) {
  publish({web});
  apply(outcome_kind::done);
  publish({});
  EXPECT_EQ(port(shown(), 0).at("peers").at(0).at("state"), "removing");
  const auto ops = host.take(1, now);
  ASSERT_EQ(ops.size(), 1U);
  host.finished(ops[0], {outcome_kind::refused, "not today"}, now);
  const auto d = shown();
  ASSERT_EQ(d.at("ports").as_array().size(), 1U);
  EXPECT_EQ(port(d, 0).at("decision"), "leftover");
  EXPECT_EQ(port(d, 0).at("port"), 8080);
  EXPECT_EQ(port(d, 0).at("source"), "docker");
  ASSERT_EQ(port(d, 0).at("peers").as_array().size(), 1U);
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("name"), "host-switch");
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("state"), "refused");
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("reason"), "not today");
  EXPECT_GT(port(d, 0).at("peers").at(0).at("retry_in_ms").as_int64(), 0);
}

TEST_F(status_test, what_an_earlier_run_left_is_shown_while_its_source_is_silent) {
  const ports::forward left{{net::protocol::tcp, net::address::any_v4(), 9001}, 80, ports::source_id::docker, "id9"};
  host.remember({left}, true, now);
  const auto d = shown();
  ASSERT_EQ(d.at("ports").as_array().size(), 1U);
  EXPECT_EQ(port(d, 0).at("decision"), "leftover");
  EXPECT_EQ(port(d, 0).at("container_port"), 80);
  EXPECT_EQ(port(d, 0).at("owner"), "id9");
  EXPECT_EQ(port(d, 0).at("peers").at(0).at("state"), "leftover");
  EXPECT_THAT(std::string(port(d, 0).at("peers").at(0).at("reason").as_string()), testing::HasSubstr("earlier run"));
}

TEST_F(status_test, a_wait_is_named) {
  publish({web});
  const auto before = shown();
  EXPECT_EQ(port(before, 0).at("peers").at(0).at("state"), "pending");
  EXPECT_EQ(port(before, 0).at("peers").at(0).at("reason"), "the peer has not been asked yet what it holds");
}

TEST_F(status_test, what_is_not_exposed_says_why) {
  auto sctp = web;
  sctp.protocol = net::protocol::sctp;
  publish({sctp});
  const auto d = shown();
  EXPECT_EQ(port(d, 0).at("decision"), "unsupported");
  EXPECT_EQ(port(d, 0).at("reason"), "SCTP is not forwarded");
}

TEST_F(status_test, a_degraded_source_keeps_its_ports_and_says_why) {
  publish({web});
  table.degraded(ports::source_id::docker, {{}, "gone"});
  const auto d = shown();
  EXPECT_EQ(d.at("sources").at(0).at("state"), "degraded");
  EXPECT_EQ(d.at("ports").as_array().size(), 1U);
}

}  // namespace
}  // namespace guest_agent
