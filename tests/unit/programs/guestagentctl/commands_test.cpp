// The program against an agent that answers with bytes of the test's choice.
#include "programs/guestagentctl/commands.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/loopback_socket.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/programs/guestagentctl/agent_script.hpp"

namespace guestagentctl {
namespace {

using testing::HasSubstr;

outcome run_beside(std::vector<std::string> bodies, std::vector<std::string> words) {
  return run_program(agent_script(std::move(bodies)), std::move(words));
}

outcome watch(const std::string& body) { return run_beside({body}, {"-watch", "-json", "ports"}); }

// A document with the port 8080, which is open at one peer, and in this state at another.
std::string with_8080(const std::string& state) {
  return R"({"now":"T","ports":[{"protocol":"tcp","address":"0.0.0.0","port":8080,"name":"web","source":"docker",)"
         R"("decision":"exposed","peers":[{"name":"host-switch","state":"applied"},{"name":"wsl-proxy","state":")" +
         state + "\"}]}]}\n";
}

TEST(commands, watching_prints_each_document_until_the_agent_stops) {
  const auto seen = watch("{\"ports\":[1]}\n{\"ports\":\n[2]}");
  EXPECT_EQ(seen.out, "[1]\n[2]\n");
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_THAT(seen.err, HasSubstr("the agent has stopped"));
}

TEST(commands, watching_ends_at_bytes_that_are_no_document) {
  const auto seen = watch("{\"ports\":[1]}\nnot JSON\n");
  EXPECT_EQ(seen.out, "[1]\n");
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_THAT(seen.err, HasSubstr("expected a JSON object"));
}

// A document without end is not collected for ever: it ends at the same bounds as every other one.
TEST(commands, watching_ends_at_a_document_beyond_the_bounds) {
  const auto seen = watch("{\"ports\":" + std::string(33, '['));
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_THAT(seen.err, HasSubstr("nested deeper than 32"));
}

TEST(commands, explains_a_port) {
  const auto seen = run_beside({with_8080("down")}, {"explain", "8080/tcp"});
  EXPECT_EQ(seen.exit_code, 0) << seen.err;
  EXPECT_THAT(seen.out, testing::StartsWith("tcp 0.0.0.0:8080 is open at some peers only\n"));
}

TEST(commands, json_has_the_ports_that_pass_the_filter_as_the_agent_sent_them) {
  const std::string body = R"({"ports":[1,{"name":"web","later":2},{"name":"db"}]})";
  EXPECT_EQ(run_beside({body}, {"ports", "-json", "-name=web"}).out, "[1,{\"name\":\"web\",\"later\":2}]\n");
}

TEST(commands, waiting_ends_when_the_port_is_open) {
  const auto seen = run_beside({with_8080("pending") + with_8080("applied")}, {"ports", "-wait=8080", "-timeout=60s"});
  EXPECT_EQ(seen.exit_code, 0) << seen.err;
  EXPECT_EQ(seen.out, "tcp 0.0.0.0:8080 of web is open\n");
}

// A document with a port that every peer has, and that answers at the number `inside` if at all.
std::string with_open_8080(std::uint16_t inside, const std::string& protocol = "tcp") {
  return fmt::format(R"({{"ports":[{{"protocol":"{}","address":"0.0.0.0","port":8080,"guest_port":{},)"
                     R"("guest_address":"127.0.0.1","name":"web","decision":"exposed",)"
                     R"("peers":[{{"name":"host-switch","state":"applied"}}]}}]}})"
                     "\n",
                     protocol, inside);
}

TEST(commands, waiting_ends_when_an_open_port_answers) {
  const support::raw_server server({.answer = "220 ready\r\n", .reads = false});
  const agent_script agent({with_open_8080(server.port())}, and_then::stays);
  const auto seen = run_program(agent, {"ports", "-wait=8080", "-timeout=60s"});
  EXPECT_EQ(seen.exit_code, 0) << seen.err;
  EXPECT_EQ(seen.out, "tcp 0.0.0.0:8080 of web answers\n");
}

TEST(commands, a_port_that_never_answers_ends_the_waiting_at_the_deadline) {
  const auto refusing = support::bind_on_loopback();
  const agent_script agent({with_open_8080(refusing.port)}, and_then::stays);
  const auto begin = std::chrono::steady_clock::now();
  const auto seen = run_program(agent, {"ports", "-wait=8080", "-timeout=1s"});
  EXPECT_EQ(seen.exit_code, 3);
  EXPECT_THAT(seen.err, testing::StartsWith("guestagentctl: 8080/tcp is not ready after 1 s: "));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST(commands, nothing_is_asked_of_a_udp_port) {
  const auto refusing = support::bind_on_loopback();
  const auto seen = run_beside({with_open_8080(refusing.port, "udp")}, {"ports", "-wait=8080/udp", "-timeout=60s"});
  EXPECT_EQ(seen.exit_code, 0) << seen.err;
  EXPECT_EQ(seen.out, "udp 0.0.0.0:8080 of web is open\n");
}

TEST(commands, waiting_goes_on_while_the_agent_restarts) {
  const auto seen =
      run_beside({with_8080("pending"), with_8080("applied")}, {"ports", "-wait=8080/tcp", "-timeout=60s"});
  EXPECT_EQ(seen.exit_code, 0) << seen.err;
}

TEST(commands, waiting_ends_with_a_code_for_each_reason) {
  const auto late = run_beside({}, {"ports", "-wait=8080/tcp", "-timeout=50ms"});
  EXPECT_EQ(late.exit_code, 3);
  EXPECT_THAT(late.err, testing::StartsWith("guestagentctl: 8080/tcp is not ready after 0.05 s: "));
  const std::string restricted =
      R"({"ports":[{"protocol":"tcp","address":"127.0.0.1","port":80,"decision":"restricted","reason":"too low"}]})";
  const auto never = run_beside({restricted}, {"ports", "-wait=80", "-timeout=60s"});
  EXPECT_EQ(never.exit_code, 5);
  EXPECT_THAT(never.err, HasSubstr("too low"));
}

TEST(commands, events_continue_after_a_restart_of_the_agent_and_end_without_one) {
  const std::string empty = R"({"now":"U"})";
  const auto seen = run_beside({with_8080("applied"), with_8080("down"), empty}, {"events", "-timeout=100ms"});
  EXPECT_EQ(seen.exit_code, 1);
  const std::string rest =
      R"("protocol":"tcp","address":"0.0.0.0","port":8080,"source":"docker","owner":"","name":"web"})";
  EXPECT_EQ(seen.out,
            R"({"time":"T","event":"exposed",)" + rest + "\n" + R"({"time":"U","event":"withdrawn",)" + rest + "\n");
  EXPECT_THAT(seen.err, HasSubstr("waiting for the agent: the agent has stopped"));
}

TEST(commands, rules_are_shown_as_the_agent_has_them) {
  const std::string body = R"({"file":"/etc/r.yaml","rules":[{"text":"{port: 80}","line":2,"ports":7}],"built_in":[]})";
  const auto seen = run_beside({body}, {"rules", "show"});
  EXPECT_EQ(seen.exit_code, 0);
  EXPECT_THAT(seen.out, HasSubstr("line 2  7      {port: 80}"));
}

TEST(commands, a_rules_file_is_checked_without_an_agent) {
  const support::temp_dir directory;
  const auto file = (directory / "rules.yaml").string();
  EXPECT_EQ(run_beside({}, {"rules", "check", file}).exit_code, 1) << "there is none";
  std::ofstream(file) << "rules:\n- port: 80\n  host-port: 8080\n";
  const auto good = run_beside({}, {"rules", "check", file});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  std::ofstream(file) << "rules:\n- prot: 80\n";
  const auto bad = run_beside({}, {"rules", "check", file});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.out, HasSubstr(file + ":2:"));
}

TEST(commands, a_flag_of_another_command_is_a_wrong_command_line) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"explain", "80", "-json"},
                                                                 {"status", "-wait=80"},
                                                                 {"events", "-watch"},
                                                                 {"ports", "-timeout=1s"},
                                                                 {"ports", "-wait=80", "-json"},
                                                                 {"ports", "-wait=web"},
                                                                 {"explain"},
                                                                 {"explain", "80/icmp"},
                                                                 {"rules", "show", "a.yaml"},
                                                                 {"rules", "check"},
                                                                 {"rules", "delete"},
                                                                 {"status", "80"}}) {
    const auto seen = run_beside({}, words);
    EXPECT_EQ(seen.exit_code, 2) << testing::PrintToString(words);
  }
}

}  // namespace
}  // namespace guestagentctl
