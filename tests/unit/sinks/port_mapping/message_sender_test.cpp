#include "sinks/port_mapping/message_sender.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "protocols/port_mapping/message_codec.hpp"
#include "tests/support/fake_wsl_proxy.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_mapping_peer {
namespace {

using namespace std::chrono_literals;

port_mapping::message mapping(std::uint16_t first, std::uint16_t count) {
  port_mapping::message m;
  for (std::uint16_t i = 0; i < count; ++i)
    m.bindings.push_back(
        {net::protocol::tcp, 80, {net::address::loopback_v4(), static_cast<std::uint16_t>(first + i)}});
  return m;
}

class message_sender_test : public testing::Test {
 protected:
  std::expected<ending, send_failure> deliver(const port_mapping::message& m, std::chrono::milliseconds deadline = 5s) {
    return support::run_task(context_, send(net::unix_path{socket_}, port_mapping::encode(m), {.deadline = deadline}));
  }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "proxy.sock";
  support::fake_wsl_proxy proxy_{socket_};
  boost::asio::io_context context_;
};

TEST_F(message_sender_test, delivers_in_order) {
  proxy_.start();
  for (std::uint16_t port = 1; port <= 50; ++port) ASSERT_TRUE(deliver(mapping(port, 1)));
  ASSERT_TRUE(proxy_.wait_for_messages([](const auto& all) { return all.size() == 50; }));
  std::uint16_t expected = 1;
  for (const auto& m : proxy_.received()) EXPECT_EQ(m, mapping(expected++, 1));
}

TEST_F(message_sender_test, delivers_more_than_the_socket_buffers) {
  proxy_.start_slow(50ms);
  const auto big = mapping(1, 10'000);
  const auto sent = deliver(big);
  ASSERT_TRUE(sent) << sent.error().message();
  ASSERT_TRUE(proxy_.wait_for_messages([&](const auto& all) { return all.size() == 1; }));
  EXPECT_EQ(proxy_.received()[0], big);
}

TEST_F(message_sender_test, waits_for_a_slow_receiver_to_finish) {
  proxy_.start_slow(20ms);
  ASSERT_TRUE(deliver(mapping(1, 1)));
  EXPECT_EQ(proxy_.received().size(), 1U);
}

TEST_F(message_sender_test, says_why_not) {
  EXPECT_EQ(deliver(mapping(1, 1)).error().code, std::errc::no_such_file_or_directory);
  proxy_.start();
  proxy_.crash();
  EXPECT_EQ(deliver(mapping(1, 1)).error().code, std::errc::connection_refused);
  EXPECT_TRUE(deliver(mapping(1, 1)).error().nothing_sent);
  const net::unix_path too_long{std::string(200, 'x')};
  const auto refused = support::run_task(context_, send(too_long, "x", {}));
  EXPECT_EQ(refused.error().code, std::errc::filename_too_long);
}

TEST_F(message_sender_test, a_hung_peer_costs_the_deadline_only) {
  proxy_.start_hanging();
  const auto big = deliver(mapping(1, 10'000), 100ms);  // more than fits: written in part
  EXPECT_EQ(big.error().code, std::errc::timed_out);
  EXPECT_FALSE(big.error().nothing_sent);
  const auto behind = deliver(mapping(1, 1), 100ms);  // the backlog is full now
  EXPECT_EQ(behind.error().code, std::errc::timed_out);
  EXPECT_EQ(behind.error().context, "connect unix:" + socket_.string());
  EXPECT_TRUE(behind.error().nothing_sent);
}

TEST_F(message_sender_test, waits_for_room_in_the_backlog) {
  proxy_.start_hanging();
  std::uint16_t sent = 0;
  while (deliver(mapping(1, 1), 10ms))  // each waits a moment for the peer
    ++sent;                             // is in the backlog: a peer that hangs looks like one that reads later
  std::jthread other([this] { proxy_.wake(); });
  EXPECT_TRUE(deliver(mapping(2, 1), 10s));
  EXPECT_TRUE(
      proxy_.wait_for_messages([&](const auto& all) { return all.size() > sent && all.back() == mapping(2, 1); }));
}

TEST_F(message_sender_test, probes) {
  EXPECT_FALSE(support::run_task(context_, probe(net::unix_path{socket_}, 1s)));
  proxy_.start();
  EXPECT_TRUE(support::run_task(context_, probe(net::unix_path{socket_}, 1s)));
}

TEST_F(message_sender_test, speaks_tcp_too) {
  base::unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  net::socket_address at = net::to_sockaddr({net::address::loopback_v4(), 0});
  ASSERT_EQ(::bind(listener.get(), at.get(), at.size), 0);
  ASSERT_EQ(::getsockname(listener.get(), at.get(), &at.size), 0);
  const auto endpoint = net::from_sockaddr(at).value();
  EXPECT_EQ(support::run_task(context_, send(endpoint, "x", {})).error().code, std::errc::connection_refused);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  EXPECT_EQ(support::run_task(context_, send(endpoint, "early\n", {.patience = 100ms})), ending::open)
      << "the kernel has it, and no program has read it so far";
  std::array<char, 16> got{};
  std::jthread reader([&] {
    for (int i = 0; i < 2; ++i) {
      const base::unique_fd accepted(::accept(listener.get(), nullptr, nullptr));
      got = {};
      ::recv(accepted.get(), got.data(), got.size(), MSG_WAITALL);
    }
  });
  const auto sent = support::run_task(context_, send(endpoint, "hello\n", {.patience = 10s}));
  reader.join();
  ASSERT_TRUE(sent) << sent.error().message();
  EXPECT_EQ(*sent, ending::closed);
  EXPECT_STREQ(got.data(), "hello\n");
}

}  // namespace
}  // namespace port_mapping_peer
