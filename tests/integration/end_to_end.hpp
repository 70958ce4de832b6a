// end_to_end: a lab with all programs running and two forwards on host-switch that are not the agent's. Fixture of the
// tests of the whole path, with their common checks.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"

namespace integration {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

// How long after the last event the ports may be wrong.
inline constexpr std::chrono::milliseconds soon = 2s;

// The notation of a published port here: "tcp 0.0.0.0:8080", as the host binds it.
using published_set = std::set<std::string>;

// Two forwards that exist from the start: one of host-switch's own, one of another client.
inline const support::host_forward static_forward{"tcp", "127.0.0.1:2222", "192.168.127.2:22"};
inline const support::host_forward foreign_forward{"tcp", "127.0.0.1:2323", "192.168.127.2:23"};

class end_to_end : public testing::Test {
 protected:
  explicit end_to_end(support::docker_options engine = {}) : options_(std::move(engine)) {}
  void SetUp() override;     // the engine, host-switch, wsl-proxy, agent, in this order, all up
  void TearDown() override;  // every program ends with 0; after a failure: their logs

  // The engine under test, if it is not Docker.
  virtual void start_engine();
  // Flags for the agent, in addition to the lab's.
  [[nodiscard]] virtual std::vector<std::string> agent_flags() const { return {}; }
  // Rules that an engine makes with its first container, and keeps.
  virtual void leave_first_traces() {}

  // Until the agent shows its status. A program that is stopped sooner may not handle the signal yet.
  void start_agent_and_wait(const std::vector<std::string>& flags = {});
  void start_host_switch();  // with the static forward, which the checks below include
  void add_foreign_forward(const support::host_forward& forward = foreign_forward);

  // Within `limit` host-switch holds these, the static and the foreign forwards and nothing else, wsl-proxy listens on
  // these and on nothing else, and each DNAT rule exists as often as it should.
  void expect_published(const published_set& ports, std::chrono::milliseconds limit = soon);
  // The same, and the rules are those from before the first container.
  void expect_nothing_left();

  // The container of that name answers at 127.0.0.1 in the namespace within `soon`.
  void expect_answer(const support::netns& from, const std::string& port, std::string_view container);
  void expect_answers(const std::string& port, std::string_view container);  // on the host, and in wsl
  void expect_refused(const std::string& port);                              // on both, TCP only

  [[nodiscard]] std::string ports_shown() const { return lab_->control({"ports"}).text; }

  std::unique_ptr<support::lab> lab_;
  published_set in_wsl_only_;               // held only by wsl-proxy
  std::set<support::host_forward> others_;  // held by host-switch, and not ours
  int most_rules_for_a_wildcard_ = 0;       // of ours; a Service and IPv6 alone have one
  support::docker_options options_;

 private:
  [[nodiscard]] std::string difference(const published_set& ports) const;
  std::vector<std::string> rules_before_;
};

// For tests that depend on the rules: once with each variant of iptables.
class with_each_iptables : public end_to_end, public testing::WithParamInterface<support::iptables_variant> {
 protected:
  with_each_iptables() : end_to_end({.iptables = GetParam()}) {}
};
#define INSTANTIATE_WITH_EACH_IPTABLES(suite)                                                              \
  INSTANTIATE_TEST_SUITE_P(                                                                                \
      iptables, suite, testing::Values(support::iptables_variant::nft, support::iptables_variant::legacy), \
      [](const auto& one) { return one.param == support::iptables_variant::nft ? "nft" : "legacy"; })

}  // namespace integration
