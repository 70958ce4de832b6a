// The DNS service over its datagrams. A resolv.conf names no port, so a test with a resolver needs a namespace of its
// own.
#include "programs/host_switch/dns_service.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "netstack/dns/hosts_file.hpp"
#include "netstack/dns/pending.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/programs/host_switch/dns_service_fixture.hpp"

namespace host_switch {
namespace {

TEST_F(dns_service_fixture, a_name_of_the_network_is_answered_to_who_asked) {
  ask(question("gateway.docker.internal"));
  const auto got = answer();
  EXPECT_EQ(code_of(got), 0);
  ASSERT_GE(got.size(), 16U);
  EXPECT_EQ(bytes(got.end() - 4, got.end()), (bytes{192, 168, 127, 1}));
}

TEST_F(dns_service_fixture, a_name_of_the_hosts_file_is_answered_and_a_changed_file_is_read) {
  loop_.spawn(service_->watch_hosts());
  loop_.settle();
  ask(question("printer"));
  EXPECT_EQ(code_of(answer()), 0);
  std::ofstream(file("hosts")) << "10.0.0.10 scanner\n";
  EXPECT_TRUE(loop_.run_until([&] {
    ask(question("scanner"));
    const auto got = answer();
    return code_of(got) == 0 && got.size() > 16 && got.back() == 10;
  }));
}

TEST_F(dns_service_fixture, a_hosts_file_that_cannot_be_read_keeps_its_names_and_is_reported) {
  const auto log = file("log");
  ASSERT_TRUE(base::log::set_file(log));
  const auto log_has = [&](std::string_view text) { return support::read_text(log).contains(text); };
  loop_.spawn(service_->watch_hosts());
  loop_.settle();
  std::ofstream(file("hosts"), std::ios::app) << std::string(dns::hosts_file::most_bytes, '#');
  EXPECT_TRUE(loop_.run_until([&] { return log_has("dns: cannot read the hosts file, retrying reason="); }));
  ask(question("printer"));
  EXPECT_EQ(code_of(answer()), 0);
  loop_.pass_time(std::chrono::seconds(31));  // read again, without a change
  std::ofstream(file("new")) << "10.0.0.10 scanner\n";
  std::filesystem::rename(file("new"), file("hosts"));
  EXPECT_TRUE(loop_.run_until([&] { return log_has("cannot read the hosts file ended"); }));
  const auto lines = support::read_text(log);
  EXPECT_EQ(lines.find("retrying"), lines.rfind("retrying")) << lines;
  ask(question("scanner"));
  EXPECT_EQ(code_of(answer()), 0);
  ASSERT_TRUE(base::log::set_file("/dev/stderr"));
}

TEST_F(dns_service_fixture, a_refusing_resolver_is_servfail) {
  ask(question("example.org"));
  EXPECT_EQ(code_of(answer()), 2);
}

TEST_F(dns_service_fixture, search_domains_are_passed_on_at_once_and_after_a_change) {
  loop_.spawn(service_->watch_resolver());
  EXPECT_TRUE(loop_.run_until([&] { return domains_ == std::vector<std::string>{"one.example", "two.example"}; }));
  std::ofstream(file("new")) << "search three.example\n";
  std::filesystem::rename(file("new"), file("resolv.conf"));
  EXPECT_TRUE(loop_.run_until([&] { return domains_ == std::vector<std::string>{"three.example"}; }));
}

TEST_F(dns_service_fixture, rubbish_is_counted_and_the_next_question_answered) {
  ask({});
  ask({1, 2, 3});
  ask(bytes(5'000, 0xff));
  ask(question("gateway.docker.internal"));
  bytes got;
  for (int i = 0; i < 4 && code_of(got) != 0; ++i) got = answer();
  EXPECT_EQ(code_of(got), 0);
  EXPECT_EQ(service_->counted().questions, 4U);
}

// The resolver takes the question and says nothing; needs root.
TEST_F(dns_service_fixture, a_silent_resolver_is_servfail_at_the_deadline_and_not_before) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns host("silent");
  const support::inside here(host);
  const auto resolver = support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 53});
  loop_.spawn(service_->expire_questions());
  ask(question("silent.example"));
  const auto is_asked = [&] {
    char byte = 0;
    return ::recv(resolver.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
  };
  ASSERT_TRUE(loop_.run_until(is_asked));
  loop_.pass_time(dns::pending_limits{}.wait - std::chrono::seconds(1));
  EXPECT_EQ(service_->counted().expired, 0U);
  loop_.pass_time(std::chrono::seconds(1));
  EXPECT_EQ(code_of(answer()), 2);
  EXPECT_EQ(service_->counted().expired, 1U);
}

}  // namespace
}  // namespace host_switch
