// iptables-nft is removed while the agent runs, and comes back. Ports on loopback addresses go from rules to relays and
// back, under connections that are open, and clients that come all the time. The agent finds the programs in a
// directory of the test's own; the engine has the machine's.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <thread>

#include "tests/integration/end_to_end.hpp"
#include "tests/support/docker_engine.hpp"

namespace integration {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr auto one_try = 500ms;
constexpr int pause_ms = 5;
const auto tap = net::address::v4(192, 168, 127, 2);

struct target {
  protocol by;
  std::uint16_t port;
  std::string name;  // of the server
};

// Clients that ask again and again, each time on a new socket: for each target one on the host and one in wsl, on a
// thread of its own.
class restless_clients {
 public:
  restless_clients(const support::lab& lab, const std::vector<target>& targets) {
    for (const auto& one : targets)
      for (const auto* from : {&lab.host(), &lab.wsl()}) clients_.emplace_back(from, one);
    for (auto& one : clients_) one.thread = std::thread([this, &one] { run(one); });
  }
  ~restless_clients() {
    stopping_ = true;
    for (auto& one : clients_) one.thread.join();
  }
  // Until each has been answered once more.
  [[nodiscard]] bool are_answered() const {
    std::vector<int> before;
    for (const auto& one : clients_) before.push_back(one.answers);
    return eventually(soon, [&] {
      for (std::size_t i = 0; i < before.size(); ++i)
        if (clients_[i].answers == before[i]) return false;
      return true;
    });
  }
  // Those that were without an answer for too long, from the first try that failed to the next one that succeeded.
  [[nodiscard]] std::string outages() const {
    std::string all;
    for (const auto& one : clients_)
      if (one.worst_ms > soon.count())
        all += fmt::format("{} {} from {}: {} ms, {} failures beside {} answers\n", net::to_string(one.to.by),
                           one.to.port, one.from->name(), one.worst_ms.load(), one.failures.load(), one.answers.load());
    return all;
  }

 private:
  struct client {
    client(const support::netns* where, target what) : from(where), to(std::move(what)) {}
    const support::netns* from;
    target to;
    std::atomic<int> answers = 0, failures = 0;
    std::atomic<long> worst_ms = 0;
    std::thread thread;
  };
  void run(client& one) const {
    std::optional<support::clock::time_point> failed;
    for (; !stopping_; ::poll(nullptr, 0, pause_ms)) {
      const auto begun = support::clock::now();
      const net::endpoint at{net::address::loopback_v4(), one.to.port};
      const auto answer = support::ask(*one.from, one.to.by, at, "x", one_try);
      const bool right = answer && answer->starts_with(one.to.name);
      ++(right ? one.answers : one.failures);
      if (!right && !failed) failed = begun;
      if (!failed) continue;
      const auto out = std::chrono::duration_cast<std::chrono::milliseconds>(support::clock::now() - *failed);
      one.worst_ms = std::max<long>(one.worst_ms, out.count());
      if (right) failed.reset();
    }
  }
  std::deque<client> clients_;
  std::atomic<bool> stopping_ = false;
};

class vanishing_iptables : public end_to_end {
 protected:
  void SetUp() override {
    end_to_end::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    fs::create_directory(programs());
    install();
    lab_->start_agent({}, {fmt::format("PATH={}:{}", programs().string(), std::getenv("PATH"))});
    local_ = lab_->start_echo_server("local", {"tcp:127.0.0.1/9000", "udp:127.0.0.1/9001"});
    lab_->docker().run("web", {"-p", "127.0.0.1:8080:80", "-p", "127.0.0.1:8080:53/udp", "-p", "[::1]:8081:80"},
                       {"tcp:80", "udp:53"});
    expect_published(published_);
  }
  void install() const {
    for (const auto* name : names) fs::create_symlink(fs::path("/usr/sbin") / name, programs() / name);
  }
  void remove() const {
    for (const auto* name : names) fs::remove(programs() / name);
  }
  // The engine's rules change, so that the agent has to read them.
  void remove_and_notice() {
    remove();
    lab_->docker().run("other", {"-p", "127.0.0.1:8082:80"});
    EXPECT_TRUE(eventually(soon, [this] { return our_rules().empty() && is_relayed_in_place(); })) << our_rules();
  }
  [[nodiscard]] std::string our_rules() const {
    std::string text;
    for (const auto& rule : support::iptables_rules(lab_->rd()))
      if (rule.contains("rancher-desktop-guestagent:")) text += rule + '\n';
    return text;
  }
  [[nodiscard]] bool is_relayed_in_place() const {
    return support::listening_sockets(lab_->rd()).contains({protocol::tcp, {tap, 8080}});
  }
  struct connection {
    base::unique_fd fd;
    target to;
  };
  // Datagrams are sent again: one may find a socket that is about to close.
  static void expect_answer_on(const connection& one) {
    const auto ask = [&one] {
      ::send(one.fd.get(), "x", 1, MSG_NOSIGNAL);
      return support::receive_once(one.fd.get(), one_try).value_or("").starts_with(one.to.name);
    };
    EXPECT_TRUE(one.to.by == protocol::udp ? eventually(soon, ask) : ask())
        << net::to_string(one.to.by) << ' ' << one.to.port;
  }
  // Connections as host-switch makes them. The servers end one over TCP with their answer: it is asked for later.
  [[nodiscard]] std::vector<connection> connect_all() const {
    std::vector<connection> all;
    for (const auto& to : targets_) {
      all.push_back({support::open_socket(lab_->host(), to.by, {tap, to.port}, false), to});
      if (to.by == protocol::udp) expect_answer_on(all.back());
    }
    return all;
  }
  // The peer's line of the status.
  [[nodiscard]] std::string loopback_shown() const {
    const auto text = lab_->control({"status"}).text;
    const auto at = text.find("\nloopback ");
    return at == std::string::npos ? text : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  }

  // By a copied rule, by one to a relay, by one to the listener.
  const std::vector<target> targets_{{protocol::tcp, 8080, "web"},
                                     {protocol::udp, 8080, "web"},
                                     {protocol::tcp, 8081, "web"},
                                     {protocol::tcp, 9000, "local"},
                                     {protocol::udp, 9001, "local"}};
  const published_set published_{"tcp 127.0.0.1:8080", "udp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:9000",
                                 "udp 127.0.0.1:9001"};

 private:
  static constexpr std::array names{"iptables-nft-save", "iptables-nft-restore"};
  [[nodiscard]] fs::path programs() const { return lab_->directory() / "programs"; }
  support::child_process local_;
};

TEST_F(vanishing_iptables, interrupts_nobody_and_neither_does_its_return) {
  EXPECT_FALSE(is_relayed_in_place());
  const restless_clients clients(*lab_, targets_);
  EXPECT_TRUE(clients.are_answered());
  const auto by_rule = connect_all();
  remove_and_notice();
  EXPECT_TRUE(clients.are_answered());
  for (const auto& one : by_rule) expect_answer_on(one);
  expect_answers("tcp 127.0.0.1:8082", "other");
  EXPECT_THAT(loopback_shown(), AllOf(HasSubstr(" degraded "), HasSubstr("removed: relays replace its rules")));
  const auto by_relay = connect_all();
  install();
  lab_->docker().docker({"rm", "-f", "other"});
  EXPECT_TRUE(eventually(soon, [this] { return !our_rules().empty() && !is_relayed_in_place(); }));
  EXPECT_TRUE(clients.are_answered());
  for (const auto& one : by_relay) expect_answer_on(one);
  expect_published(published_);
  EXPECT_TRUE(eventually(soon, [this] { return loopback_shown().contains(" synced "); })) << loopback_shown();
  EXPECT_EQ(clients.outages(), "");
}

TEST_F(vanishing_iptables, leaves_nothing_behind_when_the_agent_ends_meanwhile) {
  remove_and_notice();
  EXPECT_EQ(lab_->agent().stop(5s), 0);
  EXPECT_EQ(our_rules(), "");
  const auto read = [] { return support::read_text("/proc/sys/net/ipv4/conf/eth0/route_localnet"); };
  EXPECT_EQ(lab_->rd().run(read), "0\n");
}

}  // namespace
}  // namespace integration
