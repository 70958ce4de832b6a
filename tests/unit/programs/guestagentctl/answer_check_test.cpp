#include "programs/guestagentctl/answer_check.hpp"

#include <gmock/gmock.h>

#include <chrono>

#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/raw_server.hpp"

namespace guestagentctl {
namespace {

using testing::EndsWith;

base::result<> check(std::uint16_t port, net::address ip = net::address::loopback_v4(), answer_limits limits = {}) {
  support::event_loop loop;
  return loop.run(check_answer({ip, port}, limits));
}

TEST(answer_check, a_server_that_waits_for_the_client_answers) {
  const support::raw_server server({.answer = "", .hangs = true, .reads = false});
  EXPECT_TRUE(check(server.port()));
}

TEST(answer_check, a_server_that_speaks_first_answers_also_if_it_then_closes) {
  const support::raw_server server({.answer = "220 ready\r\n", .reads = false});
  EXPECT_TRUE(check(server.port()));
}

TEST(answer_check, a_proxy_that_closes_the_connection_at_once_does_not_answer) {
  const support::raw_server proxy({.answer = "", .reads = false});
  const auto answered = check(proxy.port(), net::address::loopback_v4(), {.open = std::chrono::hours(1)});
  ASSERT_FALSE(answered);
  EXPECT_THAT(answered.error().message(), EndsWith("closed the connection at once"));
}

TEST(answer_check, a_port_without_a_listener_does_not_answer) {
  const auto refusing = support::bind_on_loopback();
  const auto answered = check(refusing.port);
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().code, std::errc::connection_refused);
  EXPECT_FALSE(check(refusing.port, net::address::any_v4()));
}

TEST(answer_check, the_wildcard_stands_for_each_address) {
  const support::raw_server server({.answer = "", .hangs = true, .reads = false});
  EXPECT_TRUE(check(server.port(), net::address::any_v4()));
}

}  // namespace
}  // namespace guestagentctl
