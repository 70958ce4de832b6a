#include "programs/guestagentctl/port_wait.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>
#include <string>

#include "net/endpoint.hpp"
#include "os/connect.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/unit/programs/guestagentctl/agent_script.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// Longer than any wait of a test: nothing here depends on how fast the machine is.
constexpr answer_limits patient{.connect = 1h, .open = 1h};
constexpr auto timeout = 20s;  // less than the time after which a silent agent counts as stopped

// A document with a port that every peer has, and that answers at the number `inside` if at all.
std::string with_open_8080(std::uint16_t inside) {
  return fmt::format(R"({{"ports":[{{"protocol":"tcp","address":"0.0.0.0","port":8080,"guest_port":{},)"
                     R"("guest_address":"127.0.0.1","name":"web","decision":"exposed",)"
                     R"("peers":[{{"name":"host-switch","state":"applied"}}]}}]}})"
                     "\n",
                     inside);
}

class port_wait : public testing::Test {
 protected:
  void start(const agent_script& agent) {
    request_ = {.socket = agent.socket(), .command = "ports", .wait = question{.port = 8080, .protocol = "tcp"}};
    request_.timeout = timeout;
    testing::internal::CaptureStderr();
    loop_.spawn(wait());
  }
  async::task<> wait() {
    const auto ended = co_await wait_for_port(request_, patient);
    code_ = ended ? *ended : -1;
  }
  // What the program has printed when it has ended.
  std::string end() {
    EXPECT_TRUE(loop_.run_until([this] { return code_.has_value(); }));
    return testing::internal::GetCapturedStderr();
  }

  request request_;
  std::optional<int> code_;
  support::event_loop loop_;
};

TEST_F(port_wait, the_port_is_asked_again_and_the_agent_is_not) {
  const support::raw_server server({.answer = "220 ready\r\n", .reads = false, .refusals = 3});
  const agent_script agent({with_open_8080(server.port())}, and_then::stays);
  start(agent);
  end();
  EXPECT_EQ(code_, 0);
  EXPECT_EQ(server.connections(), 4U);
  EXPECT_EQ(agent.connections(), 1U);
}

TEST_F(port_wait, the_last_reason_is_printed_at_the_deadline) {
  const support::raw_server proxy({.answer = "", .reads = false});
  const agent_script agent({with_open_8080(proxy.port())}, and_then::stays);
  start(agent);
  EXPECT_TRUE(loop_.run_until([&] { return proxy.connections() >= 3; }));
  loop_.pass_time(timeout);
  const auto printed = end();
  EXPECT_EQ(code_, exit_timeout);
  EXPECT_THAT(printed, HasSubstr(fmt::format("is not ready after 20 s: tcp 0.0.0.0:8080 of web is open, and does not "
                                             "answer: 127.0.0.1:{} closed the connection at once\n",
                                             proxy.port())));
}

// A full queue: the kernel drops each further SYN, so the attempt to connect outlives the deadline.
TEST_F(port_wait, a_connection_that_hangs_is_cut_at_the_deadline) {
  const auto mute = support::listen_on_loopback();
  ASSERT_EQ(::listen(mute.fd.get(), 0), 0);
  const net::endpoint at{net::address::loopback_v4(), mute.port};
  const auto first = loop_.run(os::connect_to(at, async::clock::now() + 5s));
  ASSERT_TRUE(first);
  const agent_script agent({with_open_8080(mute.port)}, and_then::stays);
  start(agent);
  EXPECT_TRUE(loop_.run_until([&] { return agent.sent() == 1; }));
  loop_.settle();
  loop_.pass_time(timeout);
  EXPECT_THAT(end(), HasSubstr("is open, and has not answered yet\n"));
  EXPECT_EQ(code_, exit_timeout);
}

TEST_F(port_wait, a_port_that_is_withdrawn_is_not_asked_any_more) {
  const support::raw_server proxy({.answer = "", .reads = false});
  const agent_script agent({with_open_8080(proxy.port()) + "{\"ports\":[]}\n"}, and_then::stays);
  start(agent);
  EXPECT_TRUE(loop_.run_until([&] { return agent.sent() == 1; }));
  loop_.settle();
  loop_.pass_time(timeout);
  EXPECT_THAT(end(), HasSubstr("no source publishes it"));
  EXPECT_LE(proxy.connections(), 1U);
}

}  // namespace
}  // namespace guestagentctl
