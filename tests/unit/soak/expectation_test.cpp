#include "tests/soak/expectation.hpp"

#include <gtest/gtest.h>

namespace soak {
namespace {

constexpr auto tcp = net::protocol::tcp, udp = net::protocol::udp;
constexpr net::address any = net::address::any_v4(), loopback = net::address::loopback_v4();

offer web(const char* address, std::uint16_t port) {
  return {{tcp, *net::address::parse(address), port}, "web", "web"};
}

TEST(soak_expectation, loopback_stays_loopback_and_a_wildcard_is_one) {
  for (const auto& [published, on_host] : {std::pair{"0.0.0.0", any},
                                           {"::", any},
                                           {"127.0.0.1", loopback},
                                           {"127.0.0.9", loopback},
                                           {"::1", loopback},
                                           {"192.168.127.2", loopback}}) {
    const auto all = expect({web(published, 8080)}, {});
    ASSERT_EQ(all.size(), 1U) << published;
    const auto& one = all.begin()->second;
    EXPECT_EQ(one.host, (net::listen_key{tcp, on_host, 8080})) << published;
    EXPECT_EQ(one.wsl, one.host) << published;
  }
}

TEST(soak_expectation, both_families_of_a_port_are_one) {
  EXPECT_EQ(expect({web("0.0.0.0", 8080), web("::", 8080)}, {}).size(), 1U);
}

TEST(soak_expectation, rules_move_narrow_and_hide_by_the_first_that_matches) {
  const std::vector<offer> offers{web("0.0.0.0", 8080)};
  const auto by = [&](rule_action action) { return expect(offers, {{action, 8000, 8099}, {rule_action::ignore}}); };
  const net::listen_key as_published{tcp, any, 8080};
  EXPECT_EQ(by(rule_action::none).begin()->second.host, as_published);
  EXPECT_TRUE(by(rule_action::ignore).empty());
  EXPECT_EQ(by(rule_action::move).begin()->second.host, (net::listen_key{tcp, any, 18'080}));
  EXPECT_EQ(by(rule_action::move).begin()->second.wsl, as_published);
  EXPECT_EQ(by(rule_action::loopback).begin()->second.host, (net::listen_key{tcp, loopback, 8080}));
  EXPECT_EQ(by(rule_action::host_only).begin()->second.wsl, std::nullopt);
  EXPECT_EQ(by(rule_action::wsl_only).begin()->second.host, std::nullopt);
}

TEST(soak_expectation, a_rule_with_a_name_matches_that_owner_alone) {
  const std::vector<port_rule> rules{{rule_action::ignore, 1, 65'535, "web"}};
  EXPECT_TRUE(expect({web("0.0.0.0", 8080)}, rules).empty());
  auto unnamed = web("0.0.0.0", 8080);
  unnamed.owner.clear();
  EXPECT_EQ(expect({unnamed}, rules).size(), 1U);
}

TEST(soak_expectation, the_port_of_the_api_is_in_the_other_distributions_alone) {
  exposures all;
  add_api_port(all, 6443);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.begin()->second.host, std::nullopt);
  EXPECT_TRUE(all.begin()->second.wsl.has_value());
}

TEST(soak_expectation, docker_s_answer_is_read) {
  const auto one = parse_inspected(
      R"(/web running default {"53/udp":[{"HostIp":"127.0.0.1","HostPort":"5353"}],"80/tcp":[{"HostIp":"0.0.0.0",)"
      R"("HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"90/tcp":null})");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->name, "web");
  EXPECT_FALSE(one->is_paused || one->uses_host_network);
  ASSERT_EQ(one->offers.size(), 3U);
  EXPECT_EQ(one->offers[0].at, (net::listen_key{udp, loopback, 5353}));
  EXPECT_EQ(one->offers[1].at, (net::listen_key{tcp, any, 8080}));
  EXPECT_TRUE(one->offers[0].answers);
}

TEST(soak_expectation, a_paused_container_is_published_and_does_not_answer) {
  const auto one = parse_inspected(R"(/web paused default {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]})");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->is_paused);
  ASSERT_EQ(one->offers.size(), 1U);
  EXPECT_FALSE(one->offers[0].answers);
}

TEST(soak_expectation, a_container_of_the_host_s_network_publishes_nothing_itself) {
  const auto one = parse_inspected("/web running host {}");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->uses_host_network && one->offers.empty());
}

TEST(soak_expectation, other_texts_are_no_container) {
  for (const auto* text : {"", "web running default {}", "/web running {}", "/web running default {"})
    EXPECT_FALSE(parse_inspected(text)) << text;
}

TEST(soak_expectation, containerd_s_table_is_read) {
  EXPECT_EQ(running_tasks("TASK      PID     STATUS    \nnerd-0    8291    RUNNING\nnerd-1    0       STOPPED\n"),
            std::set<std::string>{"nerd-0"});
  EXPECT_TRUE(running_tasks("").empty());
}

TEST(soak_expectation, arguments_say_what_a_shape_is) {
  EXPECT_EQ(to_docker_argument({tcp, "", 8080, 80}), "8080:80/tcp");
  EXPECT_EQ(to_docker_argument({udp, "127.0.0.1", 8080, 53}), "127.0.0.1:8080:53/udp");
  EXPECT_EQ(to_docker_argument({tcp, "::1", 8080, 80}), "[::1]:8080:80/tcp");
  EXPECT_EQ(to_docker_argument({tcp, "", 8000, 1000, 20}), "8000-8019:1000-1019/tcp");
  EXPECT_EQ(to_docker_argument({tcp, "", 0, 80}), "80/tcp");
  EXPECT_EQ(to_docker_argument({tcp, "0.0.0.0", 0, 80}), "0.0.0.0::80/tcp");
  EXPECT_EQ(to_server_argument({tcp, "", 9000, 0, 1, true}), "tcp6:9000");
  EXPECT_EQ(to_server_argument({udp, "127.0.0.1", 9000, 0, 2}), "udp:127.0.0.1/9000-9001");
}

}  // namespace
}  // namespace soak
