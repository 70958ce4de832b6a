#include "programs/guest_agent/status.hpp"

#include <gmock/gmock.h>

#include "ports/rule_names.hpp"
#include "protocols/status_document/document_codec.hpp"
#include "rules/rules_codec.hpp"

namespace guest_agent {
namespace {

using ports::outcome_kind;
using std::chrono::seconds;

class status_test : public testing::Test {
 protected:
  void publish(std::vector<ports::binding> bindings) {
    table.enable(ports::source_id::docker);
    table.publish(ports::source_id::docker, {std::move(bindings), {{"c9", "9/sctp", "no"}}, 1});
    plan = plan_exposure(table, policy);
    host.want(part_of(plan, ports::peer_role::host), table.settled(), 1, now);
    loopback.want(part_of(plan, ports::peer_role::loopback), table.settled(), 1, now);
  }
  void apply(outcome_kind kind, std::string reason = {}) {
    ASSERT_TRUE(host.should_list(now));
    static_cast<void>(host.listed(ports::peer_state{}, now));
    for (const auto& op : host.take(100, now)) host.finished(op, {kind, reason}, now);
  }
  status_document::document shown() {
    return describe({"1.2.3",
                     ports::network_mode::network_tunnel,
                     &table,
                     &plan,
                     {{"host-switch", ports::peer_role::host, &host, journal_trouble},
                      {"loopback", ports::peer_role::loopback, &loopback, {}, limitation}},
                     now - seconds(60),
                     now,
                     std::chrono::system_clock::from_time_t(1'700'000'000)});
  }

  ports::time_point now{seconds(5000)};
  void use_rules(std::string_view text) {
    policy.rules = rules::parse_rules(text, ports::rule_names()).value().rules;
    publish({web});
  }

  ports::exposure_options policy{ports::network_mode::network_tunnel};
  ports::port_table table;
  ports::exposure_plan plan;
  std::string journal_trouble;  // of host-switch
  std::string limitation;       // of loopback
  ports::reconcile_fsm host{{}, {}}, loopback{{1, 10, false, false}, {}};
  const ports::binding web{net::protocol::tcp, net::address::any_v4(), 8080, 80, "id1", "web"};
  const ports::binding db{net::protocol::tcp, net::address::loopback_v4(), 5432, 5432, "id2", "db"};
};

TEST_F(status_test, names_the_agent_its_sources_and_peers) {
  publish({web});
  apply(outcome_kind::done);
  const auto d = shown();
  EXPECT_EQ(d.version, "1.2.3");
  EXPECT_EQ(d.started, "2023-11-14T22:12:20Z");
  ASSERT_EQ(d.sources.size(), 1U) << "only enabled sources";
  EXPECT_EQ(d.sources.at(0).state, "ok");
  EXPECT_EQ(d.sources.at(0).refusals.at(0).what, "9/sctp");
  EXPECT_EQ(d.peers.at(0).applied, 1);
}

TEST_F(status_test, names_containers_without_ports_and_the_kind_of_an_excluded_socket) {
  table.enable(ports::source_id::docker);
  ports::snapshot seen;
  seen.refusals = {{"listener", "[::]:53/udp", "left out", "ignored"}};
  seen.without_ports = {{"id9", "job"}};
  seen.more_without_ports = 3;
  table.publish(ports::source_id::docker, seen);
  const auto docker = shown().sources.at(0);
  EXPECT_EQ(docker.refusals.at(0).kind, "ignored");
  ASSERT_EQ(docker.without_ports.size(), 1U);
  EXPECT_EQ(docker.without_ports[0].owner, "id9");
  EXPECT_EQ(docker.without_ports[0].name, "job");
  EXPECT_EQ(docker.more_without_ports, 3U);
}

TEST_F(status_test, an_applied_port_has_its_owner_and_time) {
  publish({web});
  apply(outcome_kind::done);
  now += seconds(5);
  const auto d = shown();
  EXPECT_EQ(d.ports.at(0).name, "web");
  EXPECT_EQ(d.ports.at(0).container_port, 80);
  ASSERT_EQ(d.ports.at(0).peers.size(), 1U) << "a wildcard needs no loopback rule";
  EXPECT_EQ(d.ports.at(0).peers.at(0).state, "applied");
  EXPECT_EQ(d.ports.at(0).peers.at(0).since, "2023-11-14T22:13:15Z");
}

TEST_F(status_test, an_exposed_port_has_its_address_inside_the_vm) {
  auto service = web;
  service.host_port = 80;
  service.served = ports::serving::announced;
  publish({web, db, service});
  const auto d = shown();
  ASSERT_EQ(d.ports.size(), 3U);
  for (const auto& port : d.ports)
    EXPECT_EQ(port.guest_address, port.number == 8080   ? "0.0.0.0"
                                  : port.number == 5432 ? "127.0.0.1"
                                                        : "")
        << port.number;
  policy.mode = ports::network_mode::non_admin;
  publish({web});
  EXPECT_EQ(shown().ports.at(0).guest_address, "0.0.0.0") << "another one than the host's";
}

TEST_F(status_test, a_peer_whose_journal_is_not_written_is_degraded) {
  journal_trouble = "sync the journal: Input/output error";
  apply(outcome_kind::done);
  const std::string reason = "a crash may leave ports open, the journal is not written: " + journal_trouble;
  EXPECT_EQ(shown().peers.at(0).state, "degraded");
  EXPECT_EQ(shown().peers.at(0).reason, reason);
  EXPECT_NE(shown().peers.at(1).state, "degraded") << "another peer has another journal";
  static_cast<void>(host.listed(base::fail("no route"), now));
  EXPECT_EQ(shown().peers.at(0).state, "down");
  EXPECT_EQ(shown().peers.at(0).reason, "no route; " + reason);
  journal_trouble.clear();
  EXPECT_EQ(shown().peers.at(0).reason, "no route");
}

TEST_F(status_test, a_peer_that_has_to_do_without_something_is_degraded) {
  limitation = "no hammer";
  EXPECT_EQ(shown().peers.at(1).state, "degraded");
  EXPECT_EQ(shown().peers.at(1).reason, limitation);
  EXPECT_NE(shown().peers.at(0).state, "degraded");
}

TEST_F(status_test, a_conflict_has_the_peers_reason_and_the_next_try) {
  publish({db});
  apply(outcome_kind::conflict, "bind: address already in use");
  const auto d = shown();
  const auto at_host = d.ports.at(0).peers.at(0);
  EXPECT_EQ(at_host.state, "conflict");
  EXPECT_EQ(at_host.reason, "bind: address already in use");
  EXPECT_GT(at_host.retry_in_ms.value_or(0), 0);
  EXPECT_EQ(d.ports.at(0).peers.at(1).state, "pending") << "the loopback rule has another peer";
}

TEST_F(status_test, a_peer_that_is_down_is_named_at_every_port) {
  publish({web});
  ASSERT_TRUE(host.should_list(now));
  static_cast<void>(host.listed(base::fail(std::errc::connection_refused, "host-switch"), now));
  const auto d = shown();
  EXPECT_EQ(d.peers.at(0).state, "down");
  EXPECT_EQ(d.ports.at(0).peers.at(0).state, "down");
}

TEST_F(status_test, what_is_open_and_not_wanted_any_more_is_shown) {
  publish({web});
  apply(outcome_kind::done);
  publish({});
  EXPECT_EQ(shown().ports.at(0).peers.at(0).state, "removing");
  const auto ops = host.take(1, now);
  ASSERT_EQ(ops.size(), 1U);
  host.finished(ops[0], {outcome_kind::refused, "not today"}, now);
  const auto d = shown();
  ASSERT_EQ(d.ports.size(), 1U);
  EXPECT_EQ(d.ports.at(0).decision, "leftover");
  EXPECT_EQ(d.ports.at(0).number, 8080);
  EXPECT_EQ(d.ports.at(0).source, "docker");
  ASSERT_EQ(d.ports.at(0).peers.size(), 1U);
  EXPECT_EQ(d.ports.at(0).peers.at(0).name, "host-switch");
  EXPECT_EQ(d.ports.at(0).peers.at(0).state, "refused");
  EXPECT_EQ(d.ports.at(0).peers.at(0).reason, "not today");
  EXPECT_GT(d.ports.at(0).peers.at(0).retry_in_ms.value_or(0), 0);
}

// The container has not gone: the rules have changed.
TEST_F(status_test, the_old_forward_of_a_port_that_is_still_published_is_not_wanted_there) {
  publish({web});
  apply(outcome_kind::done);
  for (const auto* text : {"rules: [{port: 8080, host-port: 9090}]", "rules: [{port: 8080, ignore: true}]"}) {
    use_rules(text);
    const auto d = shown();
    ASSERT_EQ(d.ports.size(), 2U) << text;
    EXPECT_EQ(d.ports.at(1).decision, "leftover");
    EXPECT_EQ(d.ports.at(1).number, 8080);
    EXPECT_EQ(d.ports.at(1).reason, "no longer wanted there, and may still be open") << text;
  }
}

TEST_F(status_test, what_an_earlier_run_left_is_shown_while_its_source_is_silent) {
  const ports::forward left{{net::protocol::tcp, net::address::any_v4(), 9001}, 80, ports::source_id::docker, "id9"};
  host.remember({left}, true, now);
  const auto d = shown();
  ASSERT_EQ(d.ports.size(), 1U);
  EXPECT_EQ(d.ports.at(0).decision, "leftover");
  EXPECT_EQ(d.ports.at(0).container_port, 80);
  EXPECT_EQ(d.ports.at(0).owner, "id9");
  EXPECT_EQ(d.ports.at(0).peers.at(0).state, "leftover");
  EXPECT_THAT(d.ports.at(0).peers.at(0).reason, testing::HasSubstr("earlier run"));
}

TEST_F(status_test, a_wait_is_named) {
  publish({web});
  const auto before = shown();
  EXPECT_EQ(before.ports.at(0).peers.at(0).state, "pending");
  EXPECT_EQ(before.ports.at(0).peers.at(0).reason, "the peer has not been asked yet what it holds");
}

TEST_F(status_test, what_is_not_exposed_says_why) {
  auto sctp = web;
  sctp.protocol = net::protocol::sctp;
  publish({sctp});
  const auto d = shown();
  EXPECT_EQ(d.ports.at(0).decision, "unsupported");
  EXPECT_EQ(d.ports.at(0).reason, "SCTP is not forwarded");
}

TEST_F(status_test, a_degraded_source_keeps_its_ports_and_says_why) {
  publish({web});
  table.degraded(ports::source_id::docker, {{}, "gone"});
  const auto d = shown();
  EXPECT_EQ(d.sources.at(0).state, "degraded");
  EXPECT_EQ(d.ports.size(), 1U);
}

// The document's readers depend on its members and their order.
TEST_F(status_test, the_whole_document_byte_for_byte) {
  auto sctp = web;
  sctp.protocol = net::protocol::sctp;
  auto again = web;
  again.owner = "id3";
  again.owner_name = "web \"2\"";
  const ports::binding old{net::protocol::udp, net::address::any_v4(), 53, 5353, "id4", "dns"};
  publish({web, old});
  apply(outcome_kind::done);
  publish({web, again, db, sctp});
  now += seconds(5);
  for (const auto& op : host.take(100, now)) host.finished(op, {outcome_kind::conflict, "bind: in use"}, now);
  ASSERT_TRUE(loopback.should_list(now));
  static_cast<void>(loopback.listed(base::fail(std::errc::permission_denied, "nat table"), now));
  table.degraded(ports::source_id::docker, {{}, "gone"});
  table.enable(ports::source_id::iptables);
  EXPECT_EQ(
      status_document::encode(shown()),
      R"({"version":"1.2.3","mode":"network-tunnel","started":"2023-11-14T22:12:20Z",)"
      R"("now":"2023-11-14T22:13:20Z","sources":[{"name":"docker","state":"degraded","reason":"gone",)"
      R"("bindings":4,"refusals":[{"owner":"c9","what":"9/sctp","why":"no"}]},{"name":"iptables",)"
      R"("state":"waiting","bindings":0,"refusals":[]}],"peers":[{"name":"host-switch","state":"synced",)"
      R"("applied":2},{"name":"loopback","state":"down","reason":"nat table: Permission denied",)"
      R"("retry_in_ms":49,"applied":0}],"ports":[{"protocol":"tcp","address":"0.0.0.0","port":8080,)"
      R"("guest_address":"0.0.0.0","container_port":80,"source":"docker","owner":"id1","name":"web",)"
      R"("decision":"exposed",)"
      R"("claims":[{"source":"docker","owner":"id1","name":"web","address":"0.0.0.0","container_port":80},)"
      R"({"source":"docker","owner":"id3","name":"web \"2\"","address":"0.0.0.0","container_port":80}],)"
      R"("peers":[{"name":"host-switch","state":"applied","since":"2023-11-14T22:13:15Z"}]},)"
      R"({"protocol":"tcp","address":"127.0.0.1","port":5432,"guest_address":"127.0.0.1",)"
      R"("container_port":5432,"source":"docker","owner":"id2","name":"db","decision":"exposed","claims":[{"source":"docker","owner":"id2",)"
      R"("name":"db","address":"127.0.0.1","container_port":5432}],"peers":[{"name":"host-switch",)"
      R"("state":"conflict","reason":"bind: in use","retry_in_ms":99},{"name":"loopback","state":"down",)"
      R"("reason":"nat table: Permission denied"}]},{"protocol":"sctp","address":"0.0.0.0","port":8080,)"
      R"("container_port":80,"source":"docker","owner":"id1","name":"web","decision":"unsupported",)"
      R"("reason":"SCTP is not forwarded","claims":[{"source":"docker","owner":"id1","name":"web",)"
      R"("address":"0.0.0.0","container_port":80}],"peers":[]},{"protocol":"udp","address":"0.0.0.0",)"
      R"("port":53,"decision":"leftover","reason":"no longer published, and may still be open","claims":[],)"
      R"("source":"docker","peers":[{"name":"host-switch","state":"conflict","reason":"bind: in use",)"
      R"("retry_in_ms":99}]}]})");
}

}  // namespace
}  // namespace guest_agent
