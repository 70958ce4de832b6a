// The program against an agent that answers with bytes of the test's choice.
#include "programs/guestagentctl/commands.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/connect.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace guestagentctl {
namespace {

using testing::HasSubstr;

struct outcome {
  int exit_code = 0;
  std::string out, err;
};

// Answers one request with `body`, which ends with the connection.
void answer_once(int listener, const std::string& body, const std::function<void()>& before) {
  pollfd ready{listener, POLLIN, 0};
  if (::poll(&ready, 1, 10'000) != 1) return;
  const base::unique_fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  std::string head(4096, '\0');
  if (::recv(client.get(), head.data(), head.size(), 0) <= 0) return;
  before();
  const auto answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body;
  ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

// Runs the program beside an agent that answers so many connections, one body each, and has gone then. `before` is
// called before each answer.
outcome run_beside(
    const std::vector<std::string>& bodies, std::vector<std::string> words,
    const std::function<void()>& before = [] {}) {
  const support::temp_dir directory;
  const auto socket = (directory / "agent.sock").string();
  auto listener = os::claimed_unix_path::claim(socket);
  if (!listener) return {-1, "", listener.error().message()};
  const std::jthread agent([at = std::move(*listener), &bodies, &before] {
    for (const auto& body : bodies) answer_once(at.fd(), body, before);
  });
  words.insert(words.begin(), {"guestagentctl", "-socket=" + socket});
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(static_cast<int>(argv.size()), argv.data());
  auto out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
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
  auto server = support::listen_on_loopback();
  const auto port = std::exchange(server, {}).port;
  unsigned answers = 0;
  const auto listen_late = [&] {
    if (++answers == 2) server = support::listen_on_loopback(port);
  };
  const auto seen =
      run_beside({with_open_8080(port), with_open_8080(port)}, {"ports", "-wait=8080", "-timeout=60s"}, listen_late);
  EXPECT_EQ(seen.exit_code, 0) << seen.err;
  EXPECT_EQ(seen.out, "tcp 0.0.0.0:8080 of web answers\n");
  EXPECT_EQ(answers, 2U);
}

TEST(commands, a_port_that_never_answers_ends_the_waiting_at_the_deadline) {
  const support::raw_server proxy({.answer = "", .reads = false});
  const std::vector<std::string> bodies(2, with_open_8080(proxy.port()));
  const auto begin = std::chrono::steady_clock::now();
  const auto seen = run_beside(bodies, {"ports", "-wait=8080", "-timeout=1s"});
  const auto taken = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(seen.exit_code, 3);
  EXPECT_THAT(seen.err, testing::StartsWith("guestagentctl: 8080/tcp is not ready after 1 s: "));
  EXPECT_GE(proxy.connections(), 2U) << "it is asked again";
  EXPECT_GE(taken, std::chrono::milliseconds(1'000));
  EXPECT_LT(taken, std::chrono::milliseconds(3'000));
}

// A full queue: the kernel drops each further SYN, so the attempt to connect outlives the deadline.
TEST(commands, a_connection_that_hangs_is_cut_at_the_deadline) {
  const auto mute = support::listen_on_loopback();
  ASSERT_EQ(::listen(mute.fd.get(), 0), 0);
  support::event_loop loop;
  const net::endpoint at{net::address::loopback_v4(), mute.port};
  const auto first = loop.run(os::connect_to(at, async::clock::now() + std::chrono::seconds(5)));
  ASSERT_TRUE(first);
  const auto begin = std::chrono::steady_clock::now();
  const auto seen = run_beside({with_open_8080(mute.port)}, {"ports", "-wait=8080", "-timeout=200ms"});
  const auto taken = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(seen.exit_code, 3);
  EXPECT_THAT(seen.err, HasSubstr("is open, and has not answered yet"));
  EXPECT_GE(taken, std::chrono::milliseconds(200));
  EXPECT_LT(taken, std::chrono::milliseconds(2'200));
}

TEST(commands, nothing_is_asked_of_a_udp_port) {
  const auto port = support::listen_on_loopback().port;
  const auto seen = run_beside({with_open_8080(port, "udp")}, {"ports", "-wait=8080/udp", "-timeout=60s"});
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
