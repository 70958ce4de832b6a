#include "tests/integration/end_to_end.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.hpp"
#include "tests/support/stop_programs.hpp"

namespace integration {
namespace {

using support::host_forward;
using support::listening_socket;

constexpr std::chrono::milliseconds start_limit = 10s;

// "tcp 0.0.0.0:8080"
listening_socket parse_port(std::string_view text) {
  const auto protocol = net::parse_protocol(text.substr(0, 3));
  const auto at = net::parse_endpoint(text.substr(4));
  if (!protocol || !at) throw std::invalid_argument(std::string(text));
  return {*protocol, *at};
}

std::string to_text(const listening_socket& s) {
  return fmt::format("{} {}", net::to_string(s.protocol), net::to_string(s.at));
}

host_forward ours(const listening_socket& s) {
  return {std::string(net::to_string(s.protocol)), net::to_string(s.at), fmt::format("192.168.127.2:{}", s.at.port)};
}

std::string to_text(const host_forward& f) { return fmt::format("{} {} -> {}", f.protocol, f.local, f.remote); }

template <class T>
std::string compare(std::string_view what, const std::set<T>& wanted, const std::set<T>& got) {
  std::string text;
  for (const auto& one : wanted)
    if (!got.contains(one)) text += fmt::format("{}: {} is missing\n", what, to_text(one));
  for (const auto& one : got)
    if (!wanted.contains(one)) text += fmt::format("{}: {} is too many\n", what, to_text(one));
  return text;
}

// The engine may have any number of rules. Of ours there is one at most, and for a wildcard as many as given.
std::string check_rules(const listening_socket& port, const std::vector<std::string>& rules, int most_for_a_wildcard) {
  const auto protocol = fmt::format("-p {} ", net::to_string(port.protocol)),
             number = fmt::format("--dport {} ", port.at.port);
  const auto count = std::ranges::count_if(rules, [&](const std::string& rule) {
    return rule.starts_with("-A rancher-desktop-guestagent ") && rule.contains(protocol) && rule.contains(number);
  });
  const auto most = port.at.ip.is_unspecified() ? most_for_a_wildcard : 1;
  return count <= most ? "" : fmt::format("{} rules of ours for {}\n", count, to_text(port));
}

// Without the chains: iptables-nft leaves empty ones behind.
std::vector<std::string> rules_alone(const support::netns& in) {
  auto rules = support::iptables_rules(in);
  std::erase_if(rules, [](const auto& line) { return !line.starts_with("-A "); });
  return rules;
}

}  // namespace

void end_to_end::SetUp() {
  if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
  lab_ = std::make_unique<support::lab>(options_);
  start_engine();
  start_host_switch();
  lab_->start_wsl_proxy();
  add_foreign_forward();
  ASSERT_NO_FATAL_FAILURE(start_agent_and_wait(agent_flags()));
  expect_published({});
  leave_first_traces();
  rules_before_ = rules_alone(lab_->rd());
}

void end_to_end::start_agent_and_wait(const std::vector<std::string>& flags) {
  lab_->start_agent(flags);
  ASSERT_TRUE(eventually(start_limit, [this] { return lab_->control({"status"}).exit_code == 0; }))
      << "the agent does not start";
}

void end_to_end::start_engine() { lab_->docker().start(); }

void end_to_end::TearDown() {
  if (!lab_) return;
  const auto ports = HasFailure() ? ports_shown() : "";
  EXPECT_EQ(support::stop_programs(*lab_), "");
  if (HasFailure()) std::fputs((ports + lab_->logs()).c_str(), stderr);
}

void end_to_end::start_host_switch() {
  lab_->start_host_switch({"-port-forward=" + static_forward.local + "=" + static_forward.remote});
  others_ = {static_forward};
}

void end_to_end::add_foreign_forward(const host_forward& f) {
  const auto body = fmt::format(R"({{"local":"{}","remote":"{}","protocol":"{}"}})", f.local, f.remote, f.protocol);
  ASSERT_TRUE(
      eventually(start_limit, [&] { return lab_->call_host_switch("/services/forwarder/expose", body) == 200; }));
  others_.insert(f);
}

std::string end_to_end::difference(const published_set& ports) const {
  std::set<listening_socket> at_wsl, at_host;
  auto forwards = others_;
  for (const auto& other : others_) at_host.insert(parse_port(fmt::format("{} {}", other.protocol, other.local)));
  for (const auto& text : in_wsl_only_) at_wsl.insert(parse_port(text));
  std::string rule_trouble;
  const auto rules = support::iptables_rules(lab_->rd());
  for (const auto& text : ports) {
    const auto port = parse_port(text);
    at_wsl.insert(port);
    at_host.insert(port);
    forwards.insert(ours(port));
    rule_trouble += check_rules(port, rules, most_rules_for_a_wildcard_);
  }
  const auto held = lab_->host_forwards();
  if (!held) return "host-switch does not answer\n";
  return compare("host-switch", forwards, *held) + compare("on the host", at_host, lab_->host_listeners()) +
         compare("in wsl", at_wsl, lab_->wsl_listeners()) + rule_trouble;
}

void end_to_end::expect_published(const published_set& ports, std::chrono::milliseconds limit) {
  std::string trouble;
  const bool right = eventually(limit, [&] { return (trouble = difference(ports)).empty(); });
  EXPECT_TRUE(right) << trouble;
}

void end_to_end::expect_nothing_left() {
  expect_published({});
  EXPECT_TRUE(eventually(soon, [this] { return rules_alone(lab_->rd()) == rules_before_; })) << fmt::format(
      "before:\n{}\nnow:\n{}\n", fmt::join(rules_before_, "\n"), fmt::join(rules_alone(lab_->rd()), "\n"));
}

void end_to_end::expect_answer(const support::netns& from, const std::string& port, std::string_view container) {
  const auto [protocol, at] = parse_port(port);
  const auto answered = [&] {
    if (protocol == protocol::udp)
      return support::ask(from, protocol, at, "hello", 300ms) == fmt::format("{} hello", container);
    return support::http_get(from, at, "/") == fmt::format("{}\n", container);
  };
  EXPECT_TRUE(eventually(soon, answered)) << port << " in " << from.name();
}

void end_to_end::expect_answers(const std::string& port, std::string_view container) {
  expect_answer(lab_->host(), port, container);
  expect_answer(lab_->wsl(), port, container);
}

void end_to_end::expect_refused(const std::string& port) {
  const auto at = parse_port(port).at;
  for (const auto* from : {&lab_->host(), &lab_->wsl()})
    EXPECT_TRUE(eventually(soon, [&] { return support::refused(*from, at); })) << port << " in " << from->name();
}

}  // namespace integration
