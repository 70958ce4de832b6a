// vtunnel's peer and privileged-service accept TCP connections on loopback from root, and from no other user, also from
// clients that close at once.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/temp_dir.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using support::place;

constexpr auto patience = 20s;
const net::endpoint entrance{net::address::loopback_v4(), 3030};

class admission : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    machine_.emplace("admission");
  }
  void start(std::vector<std::string> argv, std::optional<support::unit_rights> rights) {
    program_ = support::child_process(
        {.argv = std::move(argv), .log = log_, .net_namespace = machine_->path(), .rights = rights});
    ASSERT_TRUE(eventually(patience, [this] { return log().contains(": ready version="); })) << log();
  }
  [[nodiscard]] std::string log() const { return support::read_text(log_); }
  // Connects, writes, and closes at once, as existing agents do. False if it is refused.
  [[nodiscard]] bool send_and_close(uid_t user, std::string_view text) const {
    const auto client = support::open_socket({*machine_, user}, net::protocol::tcp, entrance, false);
    return client && ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0;
  }
  // The same, but keeps its socket until the other side has closed.
  void send_and_hold(uid_t user, std::string_view text) const {
    static_cast<void>(support::ask({*machine_, user}, net::protocol::tcp, entrance, text, 300ms));
  }

  support::temp_dir directory_;
  std::filesystem::path log_ = directory_ / "log";
  std::optional<support::netns> machine_;
  support::child_process program_;
};

// The peer alone; a UNIX socket of the test stands for the host's end.
class vtunnel_admission : public admission {
 protected:
  void SetUp() override {
    admission::SetUp();
    if (IsSkipped()) return;
    std::ofstream(directory_ / "vtunnel.yaml") << fmt::format(
        "tunnel:\n  - name: test\n    handshake-port: unix:{0}/handshake\n    vsock-host-port: unix:{0}/data\n"
        "    peer-address: 127.0.0.1\n    peer-port: {1}\n    upstream-server-address: 127.0.0.1:1\n",
        directory_.path().string(), entrance.port);
    sockaddr_un at{.sun_family = AF_UNIX, .sun_path = {}};
    const auto path = (directory_ / "data").string();
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    host_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(host_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    ASSERT_EQ(::listen(host_.get(), 1024), 0);
  }
  void start_peer(bool with_rule) {
    auto rights = support::rights_of_unit("vtunnel-peer");
    if (!with_rule) rights = rights.without(CAP_NET_ADMIN);
    start({support::program_directory() / "vtunnel", "peer", "--config-path", directory_ / "vtunnel.yaml"}, rights);
  }
  // The messages that have arrived so far, a letter for each.
  const std::string& arrived() {
    while (true) {
      base::unique_fd one(::accept4(host_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!one) break;
      arrived_ += support::receive_once(one.get()).value_or("");
    }
    return arrived_;
  }
  [[nodiscard]] bool has_arrived(char letter, std::ptrdiff_t count) {
    return eventually(patience, [&] { return std::ranges::count(arrived(), letter) >= count; });
  }
  [[nodiscard]] std::string rules() const {
    return support::run_or_throw({.argv = {"nft", "list", "ruleset"}, .net_namespace = machine_->path()});
  }

  base::unique_fd host_;
  std::string arrived_;
};

TEST_F(vtunnel_admission, with_the_rule_root_may_close_at_once_and_another_user_is_refused) {
  start_peer(true);
  EXPECT_TRUE(rules().contains("meta skuid != 0")) << log();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(send_and_close(0, "r"));
    EXPECT_FALSE(send_and_close(support::unprivileged, "n"));
  }
  EXPECT_TRUE(has_arrived('r', 100)) << arrived_.size() << log();
  send_and_hold(support::unprivileged, "n");
  send_and_hold(0, "h");
  EXPECT_TRUE(has_arrived('h', 1));
  EXPECT_FALSE(arrived_.contains('n'));
  EXPECT_EQ(program_.stop(), 0) << log();
  EXPECT_FALSE(rules().contains("skuid"));
}

TEST_F(vtunnel_admission, without_the_right_to_a_rule_the_kernel_is_asked) {
  start_peer(false);
  EXPECT_TRUE(log().contains("those that close at once are refused")) << log();
  send_and_hold(support::unprivileged, "n");
  for (int i = 0; i < 100; ++i) static_cast<void>(send_and_close(support::unprivileged, "n"));
  send_and_hold(0, "h");
  EXPECT_TRUE(has_arrived('h', 1)) << log();
  EXPECT_FALSE(arrived_.contains('n'));
}

TEST_F(vtunnel_admission, the_rule_is_put_up_again_and_a_crashed_one_s_is_taken_over) {
  start_peer(true);
  program_.kill9();
  EXPECT_TRUE(rules().contains("skuid"));
  std::filesystem::remove(log_);
  start_peer(true);
  support::run_or_throw({.argv = {"nft", "flush", "ruleset"}, .net_namespace = machine_->path()});
  EXPECT_TRUE(eventually(patience, [this] { return rules().contains("skuid"); })) << log();
  EXPECT_FALSE(send_and_close(support::unprivileged, "n"));
  EXPECT_TRUE(eventually(patience, [this] { return send_and_close(0, "r") && arrived().contains('r'); }));
}

// A client's message takes effect as a listening port.
TEST_F(admission, of_privileged_service_is_root_s) {
  start(
      {support::program_directory() / "privileged-service", "-listen=" + net::to_string(entrance), "-loopbackTargets"},
      std::nullopt);
  const auto message = [](int port) {
    return fmt::format(R"({{"remove":false,"ports":{{"80/tcp":[{{"HostIp":"127.0.0.2","HostPort":"{}"}}]}},)"
                       R"("connectAddrs":[{{"network":"ip+net","addr":"127.0.0.1/8"}}]}})"
                       "\n",
                       port);
  };
  send_and_hold(support::unprivileged, message(8001));
  for (int i = 0; i < 20; ++i) static_cast<void>(send_and_close(support::unprivileged, message(8002)));
  send_and_hold(0, message(8003));
  const auto listens = [&](std::uint16_t port) {
    return support::listening_sockets(*machine_).contains({net::protocol::tcp, {net::address::v4(127, 0, 0, 2), port}});
  };
  EXPECT_TRUE(eventually(patience, [&] { return listens(8003); })) << log();
  EXPECT_FALSE(listens(8001));
  EXPECT_FALSE(listens(8002));
}

}  // namespace
}  // namespace integration
