#include "sinks/host_switch/forward_calls.hpp"

#include <gmock/gmock.h>

namespace host_switch_peer {
namespace {

using ports::outcome_kind;
using ports::verb;

constexpr auto tap = net::address::v4(192, 168, 127, 2);

ports::operation op(verb what, net::protocol protocol = net::protocol::tcp) {
  return {what, {{protocol, net::address::any_v4(), 8080}, 0, ports::source_id::docker, {}}};
}

TEST(forward_calls, encodes_calls) {
  const auto add = encode(op(verb::add), tap);
  EXPECT_EQ(add.method, "POST");
  EXPECT_EQ(add.target, "/services/forwarder/expose");
  EXPECT_EQ(add.body, R"({"local":"0.0.0.0:8080","remote":"192.168.127.2:8080","protocol":"tcp"})");
  const auto remove = encode(op(verb::remove, net::protocol::udp), tap);
  EXPECT_EQ(remove.target, "/services/forwarder/unexpose");
  EXPECT_EQ(remove.body, R"({"local":"0.0.0.0:8080","protocol":"udp"})");
}

TEST(forward_calls, a_port_may_have_another_number_inside_the_vm) {
  auto moved = op(verb::add);
  moved.target.remapped_from = 80;
  EXPECT_EQ(encode(moved, tap).body, R"({"local":"0.0.0.0:8080","remote":"192.168.127.2:80","protocol":"tcp"})");
  moved.what = verb::remove;
  EXPECT_EQ(encode(moved, tap).body, R"({"local":"0.0.0.0:8080","protocol":"tcp"})");
}

TEST(forward_calls, classifies_answers) {
  const auto kind = [](verb what, unsigned status, const char* body) {
    return classify(what, {status, {}, body}).kind;
  };
  EXPECT_EQ(kind(verb::add, 200, ""), outcome_kind::done);
  EXPECT_EQ(kind(verb::add, 500, "proxy already running\n"), outcome_kind::exists);
  EXPECT_EQ(kind(verb::add, 500, "proxy already running for tcp on 0.0.0.0:8080\n"), outcome_kind::exists);
  EXPECT_EQ(kind(verb::add, 500, "listen tcp 0.0.0.0:80: bind: address already in use\n"), outcome_kind::conflict);
  EXPECT_EQ(
      kind(verb::add, 500,
           "listen tcp 0.0.0.0:80: bind: Only one usage of each socket address (protocol/network address/port) is "
           "normally permitted.\n"),
      outcome_kind::conflict);
  EXPECT_EQ(kind(verb::add, 500, "listen tcp 0.0.0.0:80: bind: permission denied\n"), outcome_kind::refused);
  EXPECT_EQ(kind(verb::add, 500, "listen tcp 0.0.0.0:80: socket: too many open files\n"), outcome_kind::refused);
  EXPECT_EQ(kind(verb::add, 500, "unknown protocol TCP\n"), outcome_kind::refused);
  EXPECT_EQ(kind(verb::add, 400, "EOF\n"), outcome_kind::refused);
  EXPECT_EQ(kind(verb::remove, 500, "proxy not found\n"), outcome_kind::done);
  EXPECT_EQ(kind(verb::remove, 500, "something else\n"), outcome_kind::refused);
  EXPECT_EQ(classify(verb::add, {500, {}, "listen tcp :80: address already in use\n"}).reason,
            "listen tcp :80: address already in use");
  EXPECT_EQ(classify(verb::add, {500, {}, "proxy already running \x1b[2J\n"}).reason, "proxy already running \\x1b[2J")
      << "reasons are shown on terminals";
  EXPECT_LT(classify(verb::add, {500, {}, "listen " + std::string(50'000, 'x')}).reason.size(), 300U);
}

TEST(forward_calls, lists_only_what_is_written_the_way_we_write_it) {
  const auto state = parse_all(R"([
    {"local":"0.0.0.0:80","remote":"192.168.127.2:80","protocol":"tcp"},
    {"local":"127.0.0.1:2222","remote":"192.168.127.2:22","protocol":"tcp"},
    {"local":"127.0.0.1:81","remote":"192.168.127.3:81","protocol":"tcp"},
    {"local":"127.0.0.1:82","remote":"192.168.127.2:082","protocol":"tcp"},
    {"local":":80","remote":"192.168.127.2:80","protocol":"udp"},
    {"local":"/run/x.sock","remote":"tcp://1","protocol":"unix"}, {}, null, 7])",
                               tap);
  ASSERT_TRUE(state) << state.error().message();
  ASSERT_EQ(state->held.size(), 4U);
  EXPECT_TRUE(state->held[0].exact);
  EXPECT_EQ(state->held[0].remapped_from, 0);
  EXPECT_TRUE(state->held[1].exact);
  EXPECT_EQ(state->held[1].remapped_from, 22);
  EXPECT_FALSE(state->held[2].exact) << "another VM's";
  EXPECT_FALSE(state->held[3].exact) << "not as the agent writes it";
}

TEST(forward_calls, what_is_no_list_is_an_error_and_not_an_empty_list) {
  EXPECT_FALSE(parse_all("{}", tap));
  EXPECT_FALSE(parse_all("", tap));
  EXPECT_FALSE(parse_all("[", tap));
  EXPECT_TRUE(parse_all("[]\n", tap).value().held.empty());
  EXPECT_TRUE(parse_all("null\n", tap).value().held.empty());
}

}  // namespace
}  // namespace host_switch_peer
