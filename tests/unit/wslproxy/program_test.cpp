// The program wsl-proxy, told what to hold by the agent's own sink and reconciler, over real sockets.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <random>

#include "portmapping/message_codec.hpp"
#include "ports/reconciler.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/echo_upstream.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

namespace wslproxy {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::ask;
using support::child_process;
using support::echo_upstream;
using support::eventually;
using testing::HasSubstr;

// Addresses that are no other test's: all their ports are free.
net::address own_loopback() {
  static std::random_device random;
  std::uniform_int_distribution<int> byte(2, 253);
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return net::address::v4(127, next(), next(), next());
}

class WslProxy : public testing::Test {
 protected:
  child_process start(std::vector<std::string> more = {}) {
    std::vector<std::string> argv{GUESTAGENT_WSL_PROXY, "-logfile=", "-socketFile=" + socket_.string(),
                                  "-upstreamAddress=" + upstream_.to_string()};
    argv.insert(argv.end(), more.begin(), more.end());
    return child_process({.argv = argv, .log = log_});
  }
  child_process start_and_wait() {
    auto started = start();
    EXPECT_TRUE(eventually(10s, [&] { return std::filesystem::is_socket(socket_); })) << log();
    return started;
  }
  [[nodiscard]] std::string log() const { return support::read_text(log_); }

  static ports::forward_map forwards(const std::vector<ports::port_key>& keys) {
    ports::forward_map all;
    for (const auto& key : keys) all[key] = {key, 80, ports::source_id::docker, {}};
    return all;
  }
  [[nodiscard]] std::vector<ports::port_key> both(std::uint16_t port) const {
    return {{protocol::tcp, host_, port}, {protocol::udp, host_, port}};
  }
  std::unique_ptr<port_mapping::port_mapping_sink> make_sink() {
    return std::make_unique<port_mapping::port_mapping_sink>(loop_.executor(),
                                                             port_mapping::port_mapping_options{.peer = socket_});
  }
  std::vector<ports::outcome> apply(ports::verb what, const std::vector<ports::port_key>& keys) {
    std::vector<ports::operation> batch;
    for (const auto& [key, forward] : forwards(keys)) batch.push_back({what, forward});
    return loop_.run(make_sink()->apply(batch));
  }
  [[nodiscard]] bool answers(protocol p, std::uint16_t port, const echo_upstream& upstream) const {
    return ask(p, {host_, port}, "hello") == upstream.answer_to("hello");
  }
  // The tasks of the test run on, too.
  bool becomes(const std::function<bool()>& holds) { return loop_.run_until(holds, 10s); }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "wsl-proxy.sock";
  std::filesystem::path log_ = directory_ / "log";
  net::address host_ = own_loopback();
  net::address upstream_ = own_loopback();
  support::event_loop loop_;
};

TEST_F(WslProxy, RelaysWhatTheAgentSendsUntilItTakesItBack) {
  const echo_upstream upstream({upstream_, 8080});
  auto proxy = start_and_wait();
  apply(ports::verb::add, both(8080));
  EXPECT_TRUE(eventually(10s, [&] { return answers(protocol::tcp, 8080, upstream); })) << log();
  EXPECT_TRUE(eventually(10s, [&] { return answers(protocol::udp, 8080, upstream); })) << log();
  apply(ports::verb::remove, both(8080));
  EXPECT_TRUE(eventually(10s, [&] { return ask(protocol::tcp, {host_, 8080}, "x").empty(); })) << log();
  EXPECT_TRUE(ask(protocol::udp, {host_, 8080}, "x").empty());
  EXPECT_EQ(proxy.stop(), 0);
}

TEST_F(WslProxy, IsToldAgainAfterItWasKilled) {
  const echo_upstream upstream({upstream_, 8080});
  ports::reconciler agent(loop_.executor(), make_sink(), std::nullopt);
  agent.want(forwards(both(8080)), {}, 0);
  loop_.spawn(agent.run());  // before there is a wsl-proxy
  for (int round = 0; round < 3; ++round) {
    auto proxy = start();
    EXPECT_TRUE(becomes([&] {
      return answers(protocol::tcp, 8080, upstream) && answers(protocol::udp, 8080, upstream);
    })) << log();
    proxy.kill9();
    EXPECT_TRUE(std::filesystem::is_socket(socket_));  // stale
  }
  loop_.stop();
}

TEST_F(WslProxy, StopsCleanly) {
  const echo_upstream upstream({upstream_, 8080});
  auto proxy = start_and_wait();
  apply(ports::verb::add, both(8080));
  ASSERT_TRUE(eventually(10s, [&] { return answers(protocol::tcp, 8080, upstream); })) << log();
  EXPECT_EQ(proxy.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_TRUE(ask(protocol::tcp, {host_, 8080}, "x").empty());
  EXPECT_THAT(log(), HasSubstr("INFO wsl-proxy: stopping"));
}

TEST_F(WslProxy, ASecondInstanceLeavesTheFirstAlone) {
  const echo_upstream upstream({upstream_, 8080});
  auto first = start_and_wait();
  auto second = start();
  EXPECT_EQ(second.wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("wsl-proxy: listen on " + socket_.string() + ": another instance is running"));
  apply(ports::verb::add, both(8080));
  EXPECT_TRUE(eventually(10s, [&] { return answers(protocol::tcp, 8080, upstream); })) << log();
}

TEST_F(WslProxy, DoesNotRemoveASocketThatIsNotItsOwn) {
  auto first = start_and_wait();
  std::filesystem::remove(socket_);
  auto second = start_and_wait();
  EXPECT_EQ(first.stop(), 0);
  EXPECT_TRUE(std::filesystem::is_socket(socket_));
}

TEST_F(WslProxy, ItsSocketIsItsOwnersOnly) {
  auto proxy = start_and_wait();
  struct stat about{};
  ASSERT_EQ(::stat(socket_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0600U);
}

TEST_F(WslProxy, SaysWhyItDoesNotStart) {
  EXPECT_EQ(start({"-upstreamAddress=x"}).wait(10s), 2);
  EXPECT_EQ(start({"-socketFile=" + (directory_ / "no" / "x.sock").string()}).wait(10s), 1);
  EXPECT_EQ(start({"-logfile=" + directory_.path().string()}).wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("No such file or directory"));
  EXPECT_EQ(start({"-version"}).wait(10s), 0);
}

TEST_F(WslProxy, LogsToAFile) {
  const auto file = directory_ / "the.log";
  auto proxy = start({"-logfile=" + file.string()});
  EXPECT_TRUE(eventually(10s, [&] { return support::read_text(file).find("ready") != std::string::npos; }));
}

TEST_F(WslProxy, ManyBindingsInOneMessage) {
  rlimit descriptors{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  if (descriptors.rlim_max < 11'000) GTEST_SKIP() << "needs more file descriptors than the hard limit allows";
  const echo_upstream upstream({upstream_, 15'000});
  auto proxy = start_and_wait();
  portmapping::message m;
  for (std::uint16_t port = 15'000; port > 5'000; --port) m.bindings.push_back({protocol::tcp, 80, {host_, port}});
  const auto begin = support::clock::now();
  ASSERT_TRUE(loop_.run(port_mapping::send(socket_, portmapping::encode(m), 5s)));
  EXPECT_TRUE(eventually(10s, [&] { return answers(protocol::tcp, 15'000, upstream); })) << log();
  EXPECT_TRUE(eventually(10s, [&] {
    return !ask(protocol::tcp, {host_, 5'001}, "x").empty() || log().find(":5001 ") != std::string::npos;
  }));
  EXPECT_LT(support::clock::now() - begin, 2s);
  EXPECT_EQ(proxy.stop(), 0);
}

}  // namespace
}  // namespace wslproxy
