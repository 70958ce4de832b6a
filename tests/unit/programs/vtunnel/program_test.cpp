// The program vtunnel, both sides on this machine, with UNIX sockets in place of virtual ones.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>

#include <fstream>

#include "programs/vtunnel/handshake.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace vtunnel {
namespace {

using namespace std::chrono_literals;
using support::child_process;
using testing::HasSubstr;

class vtunnel_test : public testing::Test {
 protected:
  void SetUp() override {
    upstream_ = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
    peer_at_ = {net::address::loopback_v4(), support::free_port()};
    write_config(fmt::format(
        "tunnel:\n"
        "  - name: test\n"
        "    handshake-port: unix:{0}/handshake\n"
        "    vsock-host-port: unix:{0}/data\n"
        "    peer-address: 127.0.0.1\n"
        "    peer-port: {1}\n"
        "    upstream-server-address: {2}\n",
        directory_.path().string(), peer_at_.port, net::to_string(support::local_endpoint(upstream_.get()))));
  }
  // One that is killed leaves its rule in nftables.
  void TearDown() override {
    for (auto* end : {&peer_, &host_}) {
      if (!end->running()) continue;
      end->signal(SIGTERM);
      EXPECT_EQ(end->wait(10s), 0) << log();
    }
  }
  void write_config(const std::string& text) const { std::ofstream(config_) << text; }
  [[nodiscard]] child_process start(const std::string& side, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> argv{GUESTAGENT_VTUNNEL, side, "--config-path", config_.string()};
    argv.insert(argv.end(), more.begin(), more.end());
    return child_process({.argv = std::move(argv), .log = log_});
  }
  void start_both() {
    host_ = start("host");
    peer_ = start("peer");
    ASSERT_TRUE(support::eventually(10s, [this] { return std::filesystem::exists(directory_ / "data"); })) << log();
  }
  void connect() {
    client_ = support::connected_socket(SOCK_STREAM, peer_at_);
    server_ = support::accept_one(upstream_.get());
  }
  [[nodiscard]] std::string log() const { return support::read_text(log_); }
  static void reset(base::unique_fd& fd) {
    const linger now{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd.reset();
  }
  // What reading to the end comes to: "" at an end, an error's name otherwise.
  static std::string ends_with(const base::unique_fd& fd) try {
    return support::read_all(fd.get());
  } catch (const std::system_error& e) {
    return e.code() == std::errc::connection_reset ? "reset" : e.what();
  }

  support::temp_dir directory_;
  std::filesystem::path config_ = directory_ / "vtunnel.yaml";
  std::filesystem::path log_ = directory_ / "log";
  base::unique_fd upstream_, client_, server_;
  net::endpoint peer_at_;
  child_process host_, peer_;
};

TEST_F(vtunnel_test, carries_bytes_and_half_closes_both_ways) {
  start_both();
  connect();
  const std::string much(8 << 20, 'x');
  std::jthread writer([&] {
    support::send_all(client_.get(), much);
    ::shutdown(client_.get(), SHUT_WR);
  });
  EXPECT_EQ(support::read_all(server_.get()).size(), much.size());
  support::send_all(server_.get(), "the answer, after the end of the question");
  ::shutdown(server_.get(), SHUT_WR);
  EXPECT_EQ(support::read_all(client_.get()), "the answer, after the end of the question");
}

TEST_F(vtunnel_test, a_reset_stays_a_reset) {
  start_both();
  connect();
  support::send_all(client_.get(), "x");
  EXPECT_EQ(support::read_exactly(server_.get(), 1), "x");
  reset(client_);
  EXPECT_EQ(ends_with(server_), "reset");
  connect();
  support::send_all(server_.get(), "y");
  EXPECT_EQ(support::read_exactly(client_.get(), 1), "y");
  reset(server_);
  EXPECT_EQ(ends_with(client_), "reset");
}

TEST_F(vtunnel_test, a_slow_reader_slows_its_own_connection_only) {
  start_both();
  connect();
  const auto slow_client = std::move(client_);
  const auto slow_server = std::move(server_);
  const int flags = ::fcntl(slow_client.get(), F_GETFL);
  ::fcntl(slow_client.get(), F_SETFL, flags | O_NONBLOCK);
  const std::string chunk(1 << 20, 'x');
  while (::send(slow_client.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) {
  }
  connect();
  support::send_all(client_.get(), "quick");
  EXPECT_EQ(support::read_exactly(server_.get(), 5), "quick");
}

TEST_F(vtunnel_test, a_tunnel_that_leads_nowhere_resets_at_once) {
  peer_ = start("peer");
  ASSERT_TRUE(support::eventually(10s, [this] { return log().find("ready") != std::string::npos; }));
  client_ = support::connected_socket(SOCK_STREAM, peer_at_);
  EXPECT_EQ(ends_with(client_), "reset") << "no host end";
  host_ = start("host");
  ASSERT_TRUE(support::eventually(10s, [this] { return std::filesystem::exists(directory_ / "data"); })) << log();
  upstream_.reset();
  client_ = support::connected_socket(SOCK_STREAM, peer_at_);
  EXPECT_EQ(ends_with(client_), "reset") << "no upstream";
}

TEST_F(vtunnel_test, either_side_may_be_killed_and_come_back) {
  start_both();
  const auto works = [this] {
    try {
      auto client = support::connected_socket(SOCK_STREAM, peer_at_);
      support::send_all(client.get(), "x");
      pollfd ready{upstream_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 200) != 1) return false;
      const auto server = support::accept_one(upstream_.get());
      return support::read_exactly(server.get(), 1) == "x";
    } catch (const std::system_error&) {
      return false;
    }
  };
  EXPECT_TRUE(support::eventually(10s, works));
  for (auto* side : {&host_, &peer_}) {
    side->kill9();
    *side = start(side == &host_ ? "host" : "peer");
    EXPECT_TRUE(support::eventually(10s, works)) << log();
  }
  EXPECT_EQ(host_.stop(), 0);
  EXPECT_EQ(peer_.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "data"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "handshake"));
}

TEST_F(vtunnel_test, the_host_end_waits_for_the_right_peer) {
  write_config(support::read_text(config_));
  host_ = start("host");
  EXPECT_TRUE(support::eventually(10s, [this] { return log().find("no handshake tunnel=test") != std::string::npos; }))
      << log();
  EXPECT_FALSE(std::filesystem::exists(directory_ / "data"));
}

TEST_F(vtunnel_test, says_why_it_does_not_start) {
  EXPECT_EQ(start("guest").wait(10s), 2);
  write_config("tunnel:\n  - name: x\n");
  EXPECT_EQ(start("peer").wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("vtunnel.yaml: line 2: tunnel[0].handshake-port: is missing"));
  std::filesystem::remove(config_);
  EXPECT_EQ(start("host").wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("No such file or directory"));
}

TEST_F(vtunnel_test, a_unix_socket_tells_no_privileged_port) {
  EXPECT_EQ(start("peer", {"-require-privileged-port"}).wait(10s), 2);
  EXPECT_THAT(log(), HasSubstr("-require-privileged-port is not for vtunnel peer"));
  EXPECT_EQ(start("host", {"-require-privileged-port"}).wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("vsock-host-port of tunnel test is a UNIX socket"));
}

TEST_F(vtunnel_test, a_configuration_on_a_file_system_that_hangs_is_not_waited_for) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  config_ = dead.path() / "vtunnel.yaml";
  EXPECT_EQ(start("peer").wait(30s), 1);
  EXPECT_THAT(log(), HasSubstr("vtunnel.yaml: its file system does not answer"));
}

}  // namespace
}  // namespace vtunnel
