#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <future>

#include "relay/listener_set.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::accept_one;
using support::connected_socket;
using support::eventually;
using support::is_reset;
using support::read_all;
using support::read_exactly;
using support::send_all;

constexpr auto loopback = net::address::loopback_v4();

// A relay on a free port of 127.0.0.1 in front of a target that the test plays.
class tcp_relay_test : public testing::Test {
 protected:
  void SetUp() override {
    target_ = support::bound_socket(SOCK_STREAM, {loopback, 0});
    start();
  }
  void start(relay_options options = {}) {
    set_ = std::make_unique<listener_set>(options);
    listen_ = {loopback, support::free_port()};
    const auto added = set_->add(
        {.protocol = net::protocol::tcp, .listen = listen_, .target = support::local_endpoint(target_.get())});
    ASSERT_TRUE(added) << added.error().message();
  }
  void connect() {
    client_ = connected_socket(SOCK_STREAM, listen_);
    server_ = accept_one(target_.get());
  }
  [[nodiscard]] bool all_closed() const {
    return eventually([this] { return set_->count().connections == 0; });
  }

  base::unique_fd target_, client_, server_;
  net::endpoint listen_;
  std::unique_ptr<listener_set> set_;
};

TEST_F(tcp_relay_test, carries_bytes_both_ways) {
  connect();
  send_all(client_.get(), "ping");
  EXPECT_EQ(read_exactly(server_.get(), 4), "ping");
  send_all(server_.get(), "pong");
  EXPECT_EQ(read_exactly(client_.get(), 4), "pong");
}

TEST_F(tcp_relay_test, a_half_close_of_the_client_leaves_the_other_way_open) {
  connect();
  send_all(client_.get(), "request");
  ::shutdown(client_.get(), SHUT_WR);
  EXPECT_EQ(read_all(server_.get()), "request");
  send_all(server_.get(), "answer");
  server_.reset();
  EXPECT_EQ(read_all(client_.get()), "answer");
  client_.reset();
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_relay_test, a_half_close_of_the_target_leaves_the_other_way_open) {
  connect();
  send_all(server_.get(), "greeting");
  ::shutdown(server_.get(), SHUT_WR);
  EXPECT_EQ(read_all(client_.get()), "greeting");
  send_all(client_.get(), "late");
  client_.reset();
  EXPECT_EQ(read_all(server_.get()), "late");
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_relay_test, a_reset_stays_a_reset) {
  for (const bool by_client : {true, false}) {
    connect();
    send_all(client_.get(), "x");
    read_exactly(server_.get(), 1);
    auto& dies = by_client ? client_ : server_;
    auto& sees = by_client ? server_ : client_;
    reset_on_close(dies.get());
    dies.reset();
    EXPECT_TRUE(is_reset(sees)) << (by_client ? "of the client" : "of the target");
    EXPECT_TRUE(all_closed());
  }
}

TEST_F(tcp_relay_test, what_was_sent_before_a_reset_arrives) {
  for (int i = 0; i < 20; ++i) {
    connect();
    send_all(client_.get(), "never read");  // so the close of the target is a reset
    while (::recv(server_.get(), nullptr, 0, MSG_PEEK) < 0) {
    }
    send_all(server_.get(), "too large");
    server_.reset();
    EXPECT_EQ(read_exactly(client_.get(), 9), "too large");
    EXPECT_TRUE(is_reset(client_));
    EXPECT_TRUE(all_closed());
  }
}

TEST_F(tcp_relay_test, many_small_segments_and_the_end_behind_them) {
  connect();
  const int one = 1;
  ::setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  std::string sent;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(1, static_cast<char>('a' + i % 26));
    send_all(client_.get(), piece);
    sent += piece;
  }
  ::shutdown(client_.get(), SHUT_WR);
  EXPECT_EQ(read_all(server_.get()), sent);
}

TEST_F(tcp_relay_test, connections_of_one_listener_are_shared_out_among_threads) {
  start({.shards = 3});
  std::vector<base::unique_fd> clients, servers;
  for (int i = 0; i < 30; ++i) {
    connect();
    clients.push_back(std::move(client_));
    servers.push_back(std::move(server_));
    send_all(clients.back().get(), std::to_string(100 + i));
    EXPECT_EQ(read_exactly(servers.back().get(), 3), std::to_string(100 + i));
  }
  EXPECT_EQ(set_->count().connections, 30U);
  EXPECT_TRUE(set_->remove(net::protocol::tcp, listen_));
  for (auto& s : servers) send_all(s.get(), "bye");
  for (auto& c : clients) EXPECT_EQ(read_exactly(c.get(), 3), "bye");
  servers.clear();
  clients.clear();
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_relay_test, many_bytes_arrive_unchanged_though_the_reader_is_slow) {
  connect();
  std::string sent(64 << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>((i * 2654435761U) >> 13);
  auto writing = std::async(std::launch::async, [&] {
    send_all(client_.get(), sent);
    ::shutdown(client_.get(), SHUT_WR);
  });
  // Reads nothing until the sender is blocked: the relay must not accept bytes that it cannot pass on.
  EXPECT_EQ(writing.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  EXPECT_EQ(read_all(server_.get()), sent);
  writing.get();
}

TEST_F(tcp_relay_test, a_slow_reader_slows_its_own_connection_only) {
  connect();
  auto stuck_client = std::move(client_);
  auto stuck_server = std::move(server_);
  const std::string block(1 << 20, 'x');
  const timeval soon{0, 100'000};
  ::setsockopt(stuck_client.get(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
  while (::send(stuck_client.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
  }
  connect();
  send_all(client_.get(), "quick");
  EXPECT_EQ(read_exactly(server_.get(), 5), "quick");
}

TEST_F(tcp_relay_test, both_ways_at_once) {
  connect();
  const std::string there(8 << 20, 'a'), back(8 << 20, 'b');
  const auto send = [](int fd, const std::string& bytes) {
    send_all(fd, bytes);
    ::shutdown(fd, SHUT_WR);
  };
  auto a = std::async(std::launch::async, send, client_.get(), std::cref(there));
  auto b = std::async(std::launch::async, send, server_.get(), std::cref(back));
  auto c = std::async(std::launch::async, read_all, client_.get());
  EXPECT_EQ(read_all(server_.get()), there);
  EXPECT_EQ(c.get(), back);
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_relay_test, a_target_that_refuses_is_a_reset_of_the_client) {
  target_.reset();
  client_ = connected_socket(SOCK_STREAM, listen_);
  EXPECT_THROW(read_all(client_.get()), std::system_error);
  EXPECT_TRUE(eventually([this] { return set_->count().connect_failures == 1; }));
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_relay_test, a_target_that_never_answers_meets_the_timeout) {
  EXPECT_EQ(relay_options{}.connect_timeout, std::chrono::seconds(10));
  target_ = support::bound_socket(SOCK_STREAM, {loopback, 0});
  ::listen(target_.get(), 0);  // a queue of one, which is filled now, so further connections are not answered
  const auto filling = connected_socket(SOCK_STREAM, support::local_endpoint(target_.get()));
  start({.connect_timeout = std::chrono::milliseconds(100)});
  client_ = connected_socket(SOCK_STREAM, listen_);
  EXPECT_THROW(read_all(client_.get()), std::system_error);
  EXPECT_EQ(set_->count().connect_failures, 1U);
}

TEST_F(tcp_relay_test, a_thousand_connections_at_once) {
  std::vector<base::unique_fd> clients, servers;
  for (int i = 0; i < 1000; ++i) {
    connect();
    clients.push_back(std::move(client_));
    servers.push_back(std::move(server_));
  }
  EXPECT_TRUE(eventually([this] { return set_->count().connections == 1000U; }));
  for (std::size_t i = 0; i < clients.size(); ++i) send_all(clients[i].get(), std::to_string(10'000 + i));
  for (std::size_t i = 0; i < clients.size(); ++i)
    EXPECT_EQ(read_exactly(servers[i].get(), 5), std::to_string(10'000 + i));
  clients.clear();
  servers.clear();
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_relay_test, connections_outlive_their_listener) {
  connect();
  EXPECT_TRUE(set_->remove(net::protocol::tcp, listen_));
  EXPECT_THROW(connected_socket(SOCK_STREAM, listen_), std::system_error);
  send_all(client_.get(), "still");
  EXPECT_EQ(read_exactly(server_.get(), 5), "still");
}

// In a process of its own, as it uses up all descriptors.
int run_out_of_descriptors() {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  listener_set set;
  const net::endpoint listen{loopback, support::free_port()};
  if (!set.add({.protocol = net::protocol::tcp, .listen = listen, .target = support::local_endpoint(target.get())}))
    return 1;
  auto early = connected_socket(SOCK_STREAM, listen);
  auto early_server = accept_one(target.get());
  auto late = support::make_socket(SOCK_STREAM, loopback);
  const int top = ::dup(0);
  ::close(top);
  const rlimit limit{static_cast<rlim_t>(top), static_cast<rlim_t>(top)};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 2;
  const auto address = net::to_sockaddr(listen);
  if (::connect(late.get(), address.get(), address.size) != 0) return 3;
  send_all(early.get(), "goes on");  // without a pipe: none can be had
  if (read_exactly(early_server.get(), 7) != "goes on") return 4;
  if (set.count().accepted != 1) return 5;
  early.reset();
  early_server.reset();  // with what the relay closes then, enough descriptors are free again for one more connection
  base::unique_fd late_server;
  const bool served = eventually([&] {
    late_server.reset(::accept4(target.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return static_cast<bool>(late_server);
  });
  if (!served) return 7;
  send_all(late.get(), "resumes");
  return read_exactly(late_server.get(), 7) == "resumes" ? 0 : 6;
}

int add_without_descriptors() {
  listener_set set;
  const int top = ::dup(0);
  ::close(top);
  const rlimit limit{static_cast<rlim_t>(top), static_cast<rlim_t>(top)};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  const auto added = set.add({.protocol = net::protocol::tcp, .listen = {loopback, 0}, .target = {loopback, 9}});
  return !added && added.error().code == std::errc::too_many_files_open ? 0 : 2;
}

// Runs `steps` in a process of its own and returns its result; 100 after an exception.
int in_own_process(int (*steps)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 100;
    try {
      code = steps();
    } catch (...) {
    }
    std::_Exit(code);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

TEST_F(tcp_relay_test, out_of_descriptors_add_says_so) {
  set_.reset();
  EXPECT_EQ(in_own_process(add_without_descriptors), 0);
}

TEST_F(tcp_relay_test, out_of_descriptors_it_serves_what_it_has_and_resumes_by_itself) {
  set_.reset();
  EXPECT_EQ(in_own_process(run_out_of_descriptors), 0) << "the step that failed";
}

}  // namespace
}  // namespace relay
