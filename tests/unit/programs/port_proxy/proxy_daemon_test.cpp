// wsl-proxy and privileged-service, driven by messages over real sockets: first what they share, then what each adds.
#include "programs/port_proxy/proxy_daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <random>

#include "os/connect.hpp"
#include "ports/reconciler.hpp"
#include "protocols/port_mapping/message_codec.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/echo_upstream.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fetch.hpp"
#include "tests/support/metrics_check.hpp"
#include "tests/support/promtool.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_proxy {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::ask;
using support::child_process;
using support::echo_upstream;
using support::eventually;
using testing::HasSubstr;

enum class which : std::uint8_t { wsl_proxy, privileged_service };
void PrintTo(which w, std::ostream* to) { *to << (w == which::wsl_proxy ? "wsl_proxy" : "privileged_service"); }

// No other test uses these addresses: all their ports are free.
net::address own_loopback() {
  static std::random_device random;
  std::uniform_int_distribution<int> byte(2, 253);
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return net::address::v4(127, next(), next(), next());
}

class ProxyProgram : public testing::Test {
 protected:
  explicit ProxyProgram(which program) : program_(program) {}

  child_process start(std::vector<std::string> more = {}) {
    std::vector<std::string> argv{GUESTAGENT_PRIVILEGED_SERVICE, "-loopbackTargets", "-socketFile=" + socket_.string()};
    if (program_ == which::wsl_proxy)
      argv = {GUESTAGENT_WSL_PROXY, "-logfile=", "-socketFile=" + socket_.string(),
              "-upstreamAddress=" + vm_.to_string()};
    argv.insert(argv.end(), more.begin(), more.end());
    return child_process({.argv = argv, .log = log_});
  }
  child_process start_and_wait() {
    auto started = start();
    EXPECT_TRUE(eventually(10s, [&] { return std::filesystem::is_socket(socket_); })) << log();
    return started;
  }
  void send(const port_mapping::message& m) {
    ASSERT_TRUE(loop_.run(port_mapping_peer::send(net::unix_path{socket_}, port_mapping::encode(m), {.patience = 5s})));
  }
  // About TCP and UDP at host_:8080.
  void request(bool remove, const net::address& vm) {
    port_mapping::message m{.remove = remove, .bindings = {}, .connect_addresses = {{vm, 8}}};
    for (const auto p : {protocol::tcp, protocol::udp}) m.bindings.push_back({p, 80, {host_, 8080}});
    send(m);
  }
  [[nodiscard]] bool answers(const echo_upstream& vm) const {
    return ask(protocol::tcp, {host_, 8080}, "x") == vm.answer_to("x") &&
           ask(protocol::udp, {host_, 8080}, "x") == vm.answer_to("x");
  }
  [[nodiscard]] bool reaches(const echo_upstream& vm) const {
    return eventually(10s, [&] { return answers(vm); });
  }
  [[nodiscard]] bool closes() const {
    return eventually(10s, [&] {
      return ask(protocol::tcp, {host_, 8080}, "x").empty() && ask(protocol::udp, {host_, 8080}, "x").empty();
    });
  }
  [[nodiscard]] std::string log() const { return support::read_text(log_); }
  static bool accepts(const net::endpoint& at) try {
    return static_cast<bool>(support::connected_socket(SOCK_STREAM, at));
  } catch (const std::system_error&) {
    return false;
  }

  // The answer to GET /metrics, with its head.
  [[nodiscard]] std::string metrics() const {
    const auto fd = os::connect_now(net::unix_path{metrics_}).value();
    ::fcntl(fd.get(), F_SETFL, 0);
    support::set_deadline(fd.get());
    support::send_all(fd.get(), "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return support::read_all(fd.get());
  }
  // Of the port of request().
  [[nodiscard]] std::string sample(const char* name, const char* protocol, std::size_t value) const {
    return fmt::format("\n{}_port_{}{{protocol=\"{}\",address=\"{}\",port=\"8080\"}} {}\n",
                       program_ == which::wsl_proxy ? "wsl_proxy" : "privileged_service", name, protocol,
                       host_.to_string(), value);
  }

  which program_;
  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "messages.sock";
  std::filesystem::path metrics_ = directory_ / "metrics.sock";
  std::filesystem::path log_ = directory_ / "log";
  net::address host_ = own_loopback(), vm_ = own_loopback();
  support::event_loop loop_;
};

class each_proxy_test : public ProxyProgram, public testing::WithParamInterface<which> {
 protected:
  each_proxy_test() : ProxyProgram(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(program, each_proxy_test, testing::Values(which::wsl_proxy, which::privileged_service),
                         testing::PrintToStringParamName());

TEST_P(each_proxy_test, relays_what_it_is_told_until_it_is_taken_back) {
  const echo_upstream vm({vm_, 8080});
  auto proxy = start_and_wait();
  request(false, vm_);
  EXPECT_TRUE(reaches(vm)) << log();
  request(true, vm_);
  EXPECT_TRUE(closes());
}

TEST_P(each_proxy_test, closes_all_at_the_end) {
  const echo_upstream vm({vm_, 8080});
  auto proxy = start_and_wait();
  struct stat about{};
  ASSERT_EQ(::stat(socket_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0600U) << "its owner's alone";
  request(false, vm_);
  ASSERT_TRUE(reaches(vm)) << log();
  EXPECT_EQ(proxy.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_TRUE(closes());
  EXPECT_THAT(log(), HasSubstr("stopping signal=15 listeners=2"));
}

TEST_P(each_proxy_test, opens_a_busy_port_once_it_is_free) {
  const echo_upstream vm({vm_, 8080});
  auto other = support::bound_socket(SOCK_STREAM, {host_, 8080});
  auto proxy = start_and_wait();
  request(false, vm_);
  EXPECT_TRUE(eventually(10s, [this] { return log().contains("Address already in use"); })) << log();
  other.reset();
  EXPECT_TRUE(reaches(vm)) << log();
}

TEST_P(each_proxy_test, counts_the_connections_and_bytes_of_each_port) {
  const echo_upstream vm({vm_, 8080});
  const auto proxy = start({"-metrics-socket=" + metrics_.string()});
  ASSERT_TRUE(eventually(10s, [this] { return log().contains("ready"); })) << log();
  struct stat about{};
  ASSERT_EQ(::stat(metrics_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0600U) << "its owner's alone";
  EXPECT_THAT(metrics(), testing::EndsWith("\r\n\r\n")) << "no port, no metric";
  request(false, vm_);
  for (const auto* protocol : {"tcp", "udp"})
    ASSERT_TRUE(eventually(10s, [&] { return metrics().contains(sample("connections_total", protocol, 0)); })) << log();
  const std::string text(700, 'x');
  for (const auto p : {protocol::tcp, protocol::udp}) EXPECT_EQ(ask(p, {host_, 8080}, text), vm.answer_to(text));
  const auto answered = vm.answer_to(text).size();
  for (const auto* protocol : {"tcp", "udp"})
    for (const auto& line :
         {sample("connections_total", protocol, 1), sample("received_bytes_total", protocol, text.size()),
          sample("sent_bytes_total", protocol, answered)})
      EXPECT_TRUE(eventually(10s, [&] { return metrics().contains(line); })) << line << metrics();
  EXPECT_TRUE(eventually(10s, [&] { return metrics().contains(sample("open_connections", "tcp", 0)); })) << metrics();
  EXPECT_THAT(metrics(), HasSubstr(sample("open_connections", "udp", 1)));
  const auto answer = metrics();
  const auto all = answer.substr(answer.find("\r\n\r\n") + 4);
  EXPECT_EQ(support::metrics_faults(all), "") << all;
  request(true, vm_);
  EXPECT_TRUE(eventually(10s, [&] { return metrics().ends_with("\r\n\r\n"); }));
}

TEST_P(each_proxy_test, promtool_finds_no_fault_in_the_metrics) {
  if (const auto missing = support::fetch_failure("promtool"); !missing.empty()) GTEST_SKIP() << missing;
  const auto proxy = start({"-metrics-socket=" + metrics_.string()});
  ASSERT_TRUE(eventually(10s, [this] { return log().contains("ready"); })) << log();
  request(false, vm_);
  ASSERT_TRUE(eventually(10s, [&] { return metrics().contains(sample("connections_total", "tcp", 0)); })) << log();
  const auto answer = metrics();
  EXPECT_EQ(support::promtool_faults(answer.substr(answer.find("\r\n\r\n") + 4)), "") << answer;
}

TEST_P(each_proxy_test, does_not_start_without_the_metrics_socket_that_it_is_to_have) {
  EXPECT_EQ(start({"-metrics-socket=" + (directory_ / "none" / "x").string()}).wait(10s), 1);
  EXPECT_EQ(start({"-metrics-socket=relative"}).wait(10s), 2);
}

TEST_P(each_proxy_test, a_second_instance_leaves_the_first_alone) {
  const echo_upstream vm({vm_, 8080});
  auto first = start_and_wait();
  EXPECT_EQ(start().wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("listen on " + socket_.string() + ": another instance is running"));
  request(false, vm_);
  EXPECT_TRUE(reaches(vm)) << log();
  std::filesystem::remove(socket_);
  auto second = start_and_wait();
  EXPECT_EQ(first.stop(), 0);
  EXPECT_TRUE(std::filesystem::is_socket(socket_)) << "the second one's";
}

class wsl_proxy_test : public ProxyProgram {
 protected:
  wsl_proxy_test() : ProxyProgram(which::wsl_proxy) {}
};

TEST_F(wsl_proxy_test, is_told_again_by_the_agent_after_it_was_killed) {
  const echo_upstream vm({vm_, 8080});
  auto sink = std::make_unique<port_mapping_peer::port_mapping_sink>(
      loop_.executor(), port_mapping_peer::port_mapping_options{.peer = net::unix_path{socket_}});
  ports::reconciler agent(loop_.executor(), std::move(sink), std::nullopt);
  ports::forward_map wanted;
  for (const auto p : {protocol::tcp, protocol::udp})
    wanted[{p, host_, 8080}] = {{p, host_, 8080}, 80, ports::source_id::docker, {}};
  agent.want(wanted, {}, 0);
  loop_.spawn(agent.run());  // before there is a wsl-proxy
  for (int round = 0; round < 3; ++round) {
    auto proxy = start();
    EXPECT_TRUE(loop_.run_until([&] { return answers(vm); }, 10s)) << log();
    proxy.kill9();
    EXPECT_TRUE(std::filesystem::is_socket(socket_));  // stale
  }
  loop_.stop();
}

TEST_F(wsl_proxy_test, many_bindings_in_one_message) {
  rlimit descriptors{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  if (descriptors.rlim_max < 20'000) GTEST_SKIP() << "needs more file descriptors than the hard limit allows";
  const echo_upstream vm({vm_, 15'000});
  auto proxy = start_and_wait();
  port_mapping::message m;
  for (std::uint16_t port = 15'000; port > 5'000; --port) m.bindings.push_back({protocol::tcp, 80, {host_, port}});
  send(m);
  EXPECT_TRUE(eventually(20s, [&] { return ask(protocol::tcp, {host_, 15'000}, "x") == vm.answer_to("x"); })) << log();
  EXPECT_TRUE(eventually(20s, [&] { return accepts({host_, 5'001}); })) << "the last one of the message";
  EXPECT_LT(std::ranges::count(log(), '\n'), 200) << "the log does not grow with the message";
}

class privileged_service_test : public ProxyProgram {
 protected:
  privileged_service_test() : ProxyProgram(which::privileged_service) {}
};

TEST_F(privileged_service_test, relays_to_the_vm_that_asked) {
  const auto other = own_loopback();
  const echo_upstream a({vm_, 8080}), b({other, 8080});
  auto service = start_and_wait();
  request(false, vm_);
  EXPECT_TRUE(reaches(a)) << log();
  request(true, other);
  request(false, other);
  EXPECT_TRUE(reaches(b)) << log();
  request(true, other);
  EXPECT_TRUE(reaches(a)) << log();
  request(true, vm_);
  EXPECT_TRUE(closes());
}

TEST_F(privileged_service_test, takes_messages_by_tcp_on_loopback) {
  const echo_upstream vm({vm_, 8080});
  const net::endpoint at{host_, 4444};
  auto service = start({"-listen=" + net::to_string(at)});
  ASSERT_TRUE(eventually(10s, [this] { return log().contains("ready"); })) << log();
  port_mapping::message m{.remove = false, .bindings = {}, .connect_addresses = {{vm_, 8}}};
  for (const auto p : {protocol::tcp, protocol::udp}) m.bindings.push_back({p, 80, {host_, 8080}});
  ASSERT_TRUE(loop_.run(port_mapping_peer::send(at, port_mapping::encode(m), {.patience = 5s})));
  EXPECT_TRUE(reaches(vm)) << log();
  EXPECT_EQ(start({"-listen=192.0.2.1:4444"}).wait(10s), 2);
  EXPECT_THAT(log(), HasSubstr("not IP:PORT on loopback"));
}

}  // namespace
}  // namespace port_proxy
