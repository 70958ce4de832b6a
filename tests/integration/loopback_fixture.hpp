// The fixture of the loopback sink's tests: the lab, a sink inside its VM, and helpers for both.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>

#include "async/timeout.hpp"
#include "sinks/loopback/loopback_sink.hpp"
#include "tests/integration/loopback_lab.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace support {

using namespace std::chrono_literals;
using net::protocol;
using netfilter::nat_variant;
using ports::outcome_kind;
using ports::verb;

inline const net::address tap = net::address::v4(192, 168, 127, 2);
inline const net::address veth = net::address::v4(192, 168, 143, 1);
inline constexpr auto* tag = "rancher-desktop-guestagent:";
inline const std::string chain = "rancher-desktop-guestagent";

inline ports::port_key key(const char* address, std::uint16_t port, protocol p = protocol::tcp) {
  return {p, net::address::parse(address).value(), port};
}

class loopback_fixture : public testing::TestWithParam<nat_variant> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (netfilter::find_nat_programs().size() < 2) GTEST_SKIP() << "needs iptables-nft and iptables-legacy";
    lab_.emplace(GetParam());
    start_sink();
  }
  void TearDown() override {
    sink_.reset();
    lab_.reset();
  }

  loopback::loopback_options options() const {
    loopback::loopback_options made;
    made.rules.state_directory = state_.path();
    made.rules.legacy.poll_last = 200ms;
    return made;
  }
  void start_sink() { start_sink(options()); }
  void start_sink(loopback::loopback_options options) {
    sink_ = std::make_unique<loopback::loopback_sink>(context_.get_executor(), options);
  }
  std::vector<ports::held_forward> list() {
    auto listed = run_task(context_, sink_->list());
    EXPECT_TRUE(listed) << listed.error().message();
    return listed ? listed->held : std::vector<ports::held_forward>{};
  }
  static ports::operation op(verb what, const ports::port_key& k, std::uint16_t container_port = 80,
                             const std::string& owner = "abc") {
    return {what, {k, container_port, ports::source_id::docker, owner}};
  }
  // A server of the VM itself listens there.
  static ports::operation listener(verb what, const ports::port_key& k) {
    return {what, {k, 0, {}, "", ports::serving::host_listener}};
  }
  void add_listener(const ports::port_key& k) {
    const auto outcomes = apply({listener(verb::add, k)});
    EXPECT_EQ(outcomes.at(0).kind, outcome_kind::done) << outcomes.at(0).reason;
  }
  std::vector<ports::outcome> apply(std::vector<ports::operation> batch) {
    return run_task(context_, sink_->apply(std::move(batch)));
  }
  void add(const ports::port_key& k, std::uint16_t container_port = 80, const std::string& owner = "abc") {
    const auto outcomes = apply({op(verb::add, k, container_port, owner)});
    EXPECT_EQ(outcomes.at(0).kind, outcome_kind::done) << outcomes.at(0).reason;
  }
  void remove(const ports::port_key& k) { EXPECT_EQ(apply({op(verb::remove, k)}).at(0).kind, outcome_kind::done); }
  // Whether changed() returns within two seconds.
  bool notified() { return run_task(context_, async::within(2s, sink_->changed())).has_value(); }
  void close() {
    run_task(context_, [](loopback::loopback_sink& s) -> async::task<int> {
      co_await s.close();
      co_return 0;
    }(*sink_));
  }

  std::optional<std::string> from_host(std::uint16_t port, protocol p = protocol::tcp) const {
    return ask(lab_->host, p, {tap, port}, "x", 300ms);
  }
  std::optional<std::string> from_wsl(std::uint16_t port, protocol p = protocol::tcp) const {
    return ask(lab_->wsl, p, {veth, port}, "x", 300ms);
  }
  std::vector<std::string> ours(const std::string& in = "") const {
    auto rules = lab_->engine.rules(in);
    std::erase_if(rules, [](const auto& r) { return r.find(tag) == std::string::npos; });
    return rules;
  }
  static std::string route_localnet(const std::string& interface = "tap0") {
    std::string value;
    std::ifstream("/proc/sys/net/ipv4/conf/" + interface + "/route_localnet") >> value;
    return value;
  }

  temp_dir state_;
  boost::asio::io_context context_;
  std::optional<loopback_lab> lab_;
  std::unique_ptr<loopback::loopback_sink> sink_;
};

}  // namespace support
