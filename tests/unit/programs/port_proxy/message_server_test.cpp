#include "programs/port_proxy/message_server.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/io_context.hpp>

#include "async/task_group.hpp"
#include "base/log.hpp"
#include "os/claimed_unix_path.hpp"
#include "protocols/port_mapping/message_codec.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_proxy {
namespace {

using namespace std::chrono_literals;

class message_server_test : public testing::Test {
 protected:
  void SetUp() override { start({}); }
  void start(message_server_options options) {
    stop();
    auto listener = os::claimed_unix_path::claim(path_);
    ASSERT_TRUE(listener) << listener.error().message();
    listener_.emplace(std::move(*listener));
    server_.emplace(
        context_.get_executor(), base::unique_fd(::dup(listener_->fd())),
        [this](const auto& m, const caller&) { seen_.push_back(m); }, options);
    tasks_.spawn("server", server_->run());
  }
  void stop() {
    EXPECT_TRUE(support::run_task(context_, tasks_.stop(async::clock::now() + 10s)));
    server_.reset();
    listener_.reset();
  }
  void TearDown() override { stop(); }

  base::unique_fd connect() const {
    base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path_.native().copy(at.sun_path, sizeof at.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    return fd;
  }
  // The text must fit into the socket's buffer.
  static void write(const base::unique_fd& to, std::string_view text) {
    EXPECT_EQ(::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  void send(const port_mapping::message& m) const { write(connect(), port_mapping::encode(m)); }
  static bool closed_by_peer(const base::unique_fd& fd) {
    char c = 0;
    const auto got = ::recv(fd.get(), &c, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }

  bool run_until(const std::function<bool()>& done, async::clock::duration limit = 10s) {
    const auto deadline = async::clock::now() + limit;
    context_.restart();
    while (!done() && async::clock::now() < deadline) context_.run_one_for(10ms);
    return done();
  }
  [[nodiscard]] std::vector<std::uint16_t> ports() const {
    std::vector<std::uint16_t> all;
    for (const auto& m : seen_)
      for (const auto& b : m.bindings) all.push_back(b.host.port);
    return all;
  }

  [[nodiscard]] std::filesystem::path capture_log() const {
    EXPECT_TRUE(base::log::set_file((directory_ / "log").string()));
    return directory_ / "log";
  }

  support::temp_dir directory_;
  std::filesystem::path path_ = directory_ / "proxy.sock";
  boost::asio::io_context context_;
  async::task_group tasks_{context_.get_executor()};
  std::optional<os::claimed_unix_path> listener_;
  std::optional<message_server> server_;
  std::vector<port_mapping::message> seen_;
};

port_mapping::message add(std::uint16_t port) {
  return {.remove = false, .bindings = {{net::protocol::tcp, 80, {{}, port}}}, .connect_addresses = {}};
}

TEST_F(message_server_test, reads_messages_in_the_order_of_sending) {
  std::vector<std::uint16_t> expected;
  for (std::uint16_t port = 1; port <= 200; ++port) {
    send(add(port));  // all of them before the server runs
    expected.push_back(port);
  }
  ASSERT_TRUE(run_until([&] { return seen_.size() == 200; }));
  EXPECT_EQ(ports(), expected);
}

TEST_F(message_server_test, an_older_connection_is_read_first) {
  const auto first = connect(), second = connect();
  context_.restart();
  context_.run_for(20ms);  // both are accepted and waited for
  write(first, port_mapping::encode(add(1)));
  write(second, port_mapping::encode(add(2)));
  ASSERT_TRUE(run_until([&] { return seen_.size() == 2; }));
  EXPECT_EQ(ports(), (std::vector<std::uint16_t>{1, 2}));
}

TEST_F(message_server_test, several_on_one_connection_in_pieces_without_newlines) {
  const auto c = connect();
  std::string text = port_mapping::encode(add(1)) + port_mapping::encode(add(2));
  text += port_mapping::encode(add(3)).substr(0, port_mapping::encode(add(3)).size() - 1);
  for (std::size_t at = 0; at < text.size(); at += 7) {
    write(c, text.substr(at, 7));
    context_.restart();
    context_.run_one_for(1ms);
  }
  ASSERT_TRUE(run_until([&] { return seen_.size() == 3; }));  // without the end of the stream
  EXPECT_EQ(ports(), (std::vector<std::uint16_t>{1, 2, 3}));
}

TEST_F(message_server_test, a_silent_connection_delays_no_other_and_is_closed) {
  start({.idle_limit = 50ms});
  const auto silent = connect(), half = connect();
  write(half, R"({"ports":{)");
  send(add(1));
  ASSERT_TRUE(run_until([&] { return seen_.size() == 1; }));
  EXPECT_TRUE(run_until([&] { return closed_by_peer(silent) && closed_by_peer(half); }));
  send(add(2));
  EXPECT_TRUE(run_until([&] { return seen_.size() == 2; }));
}

TEST_F(message_server_test, too_many_connections_cost_the_most_silent) {
  start({.max_connections = 3});
  std::vector<base::unique_fd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(connect());
  EXPECT_TRUE(run_until([&] { return std::ranges::count_if(silent, closed_by_peer) == 17; })) << "three stay";
  send(add(1));
  ASSERT_TRUE(run_until([&] { return seen_.size() == 1; }));
  EXPECT_TRUE(run_until([&] { return std::ranges::count_if(silent, closed_by_peer) >= 17; }));
}

TEST_F(message_server_test, newcomers_do_not_displace_the_connection_that_stands) {
  start({.idle_limit = 5min, .max_connections = 16});
  const auto standing = connect();
  context_.restart();
  context_.run_for(20ms);
  const auto log = capture_log();
  for (int i = 0; i < 2'000; ++i) {
    const auto newcomer = connect();
    context_.restart();
    context_.poll();
  }
  std::vector<base::unique_fd> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(connect());
    context_.restart();
    context_.run_one_for(1ms);
  }
  send(add(1));
  ASSERT_TRUE(run_until([&] { return seen_.size() == 1; })) << "a message finds room";
  EXPECT_FALSE(closed_by_peer(standing));
  EXPECT_LE(std::ranges::count(support::read_text(log), '\n'), 10);
}

TEST_F(message_server_test, a_client_that_is_not_admitted_is_closed) {
  start({.admit = [](int) { return false; }});
  const auto refused = connect();
  EXPECT_TRUE(run_until([&] { return closed_by_peer(refused); }));
  EXPECT_TRUE(seen_.empty());
}

TEST_F(message_server_test, hostile_bytes_cost_their_connection_only) {
  const auto good = connect();
  for (const auto* text :
       {"GET / HTTP/1.1\r\n\r\n", "{\"ports\":7}", "{]", "\xff\xfe", "", "[1,2]", "{\"remove\":\"x\"}", "{\"a"})
    write(connect(), text);
  const auto endless = connect();
  const std::string chunk(60'000, '[');
  write(endless, "{\"x\":");
  const auto full = [&] {
    return ::send(endless.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
  };
  EXPECT_TRUE(run_until(full));
  write(good, port_mapping::encode(add(1)));
  ASSERT_TRUE(run_until([&] { return !seen_.empty(); }));
  EXPECT_EQ(ports(), (std::vector<std::uint16_t>{1}));
}

TEST_F(message_server_test, an_invalid_message_does_not_take_the_next_one_with_it) {
  write(connect(), R"({"ports":7}{"ports":{"80/tcp":[{"HostPort":"0"},{"HostPort":"5"}],"x":[{"HostPort":"6"}]}})");
  ASSERT_TRUE(run_until([&] { return !seen_.empty(); }));
  EXPECT_EQ(ports(), (std::vector<std::uint16_t>{5}));
}

}  // namespace
}  // namespace port_proxy
