// The DNS service over its TCP connections: framing, the bound on their number, and peers that are silent or do not
// read.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/dns/tcp_questions.hpp"
#include "programs/host_switch/incoming_streams.hpp"
#include "tests/unit/programs/host_switch/dns_service_fixture.hpp"

namespace host_switch {
namespace {

class dns_streams_test : public dns_service_fixture {
 protected:
  dns_streams_test() { loop_.spawn(service_->serve_streams(streams_.acceptor())); }

  base::unique_fd connect() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    EXPECT_TRUE(streams_.add(base::unique_fd(pair[1]), {net::address::v4(192, 168, 127, 2), ++port_}));
    loop_.settle();
    return base::unique_fd(pair[0]);
  }
  static void send(const base::unique_fd& to, const bytes& all) {
    ASSERT_EQ(::send(to.get(), all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
  }
  // The bytes that come first; nothing at the connection's end.
  std::optional<bytes> receive(const base::unique_fd& from) {
    EXPECT_TRUE(loop_.run_until([&] { return !is_open(from); }));
    bytes got(4'096);
    const auto size = ::recv(from.get(), got.data(), got.size(), MSG_DONTWAIT);
    if (size <= 0) return std::nullopt;
    got.resize(static_cast<std::size_t>(size));
    return got;
  }
  // And has nothing to read.
  static bool is_open(const base::unique_fd& one) {
    char byte = 0;
    return ::recv(one.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  incoming_streams streams_{loop_.executor()};
  std::uint16_t port_ = 1'000;
};

TEST_F(dns_streams_test, several_questions_of_one_connection_are_answered) {
  const auto here = connect();
  for (const auto* name : {"gateway.docker.internal", "host.docker.internal"})
    send(here, dns::with_length(question(name)));
  bytes got;
  EXPECT_TRUE(loop_.run_until([&] {
    std::array<std::uint8_t, 512> some{};
    const auto size = ::recv(here.get(), some.data(), some.size(), MSG_DONTWAIT);
    if (size > 0) got.insert(got.end(), some.begin(), some.begin() + size);
    std::size_t answers = 0;
    for (std::size_t at = 0; at + 2 <= got.size(); at += 2U + netstack::load_16(got, at)) ++answers;
    return answers == 2;
  }));
}

TEST_F(dns_streams_test, a_question_in_pieces_is_one) {
  const auto c = connect();
  const auto framed = dns::with_length(question("gateway.docker.internal"));
  for (const auto byte : framed) {
    send(c, {byte});
    loop_.settle();
  }
  const auto got = receive(c);
  ASSERT_TRUE(got);
  EXPECT_EQ(netstack::load_16(*got, 0) + 2U, got->size());
}

TEST_F(dns_streams_test, a_length_that_no_question_has_closes_the_connection_and_no_other) {
  const auto good = connect();
  for (const auto& bad : {bytes{0, 0}, bytes{0, 5, 1, 2, 3, 4, 5}, bytes{0xff, 0xff, 0}}) {
    const auto c = connect();
    send(c, bad);
    EXPECT_FALSE(receive(c));
  }
  send(good, dns::with_length(question("gateway.docker.internal")));
  EXPECT_TRUE(receive(good));
}

TEST_F(dns_streams_test, beyond_the_bound_the_oldest_connection_is_closed) {
  std::vector<base::unique_fd> all;
  for (std::size_t i = 0; i < dns_service::most_connections; ++i) all.push_back(connect());
  for (const auto& one : all) ASSERT_TRUE(is_open(one));
  all.push_back(connect());
  EXPECT_FALSE(receive(all.front()));
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_TRUE(is_open(all[i])) << i;
  send(all.back(), dns::with_length(question("gateway.docker.internal")));
  EXPECT_TRUE(receive(all.back()));
}

TEST_F(dns_streams_test, a_silent_connection_is_closed_after_half_a_minute_and_a_question_prolongs_it) {
  const auto silent = connect(), busy = connect();
  loop_.pass_time(std::chrono::seconds(29));
  send(busy, dns::with_length(question("gateway.docker.internal")));
  EXPECT_TRUE(receive(busy));
  loop_.pass_time(std::chrono::seconds(2));
  EXPECT_FALSE(receive(silent));
  EXPECT_TRUE(is_open(busy));
  loop_.pass_time(std::chrono::seconds(29));
  EXPECT_FALSE(receive(busy));
}

TEST_F(dns_streams_test, a_client_that_takes_no_answers_loses_its_connection) {
  const auto c = connect();
  const auto framed = dns::with_length(question("gateway.docker.internal"));
  std::size_t asked = 0;
  EXPECT_TRUE(loop_.run_until([&] {
    const auto sent = ::send(c.get(), framed.data(), framed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    asked += sent > 0 ? 1U : 0U;
    return sent < 0 && errno != EAGAIN;
  })) << asked;
}

}  // namespace
}  // namespace host_switch
