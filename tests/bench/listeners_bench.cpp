// listeners_bench: how soon a server that just listens is forwarded, and what that costs: with events of this kernel,
// without them (the agent may not load BPF programs), and with a poll of /proc/net every three seconds, which the
// agent's predecessors did. In namespaces of its own: its files are in a /run that goes with it, also when it is
// killed.
//
// Takes five minutes, and four idle phases. Each figure is printed when it is known, and all of them together at the
// end.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>

#include "async/timeout.hpp"
#include "base/descriptor_limit.hpp"
#include "base/log.hpp"
#include "http/server.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/bench/figures.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"

namespace {

using namespace std::chrono_literals;
using namespace figures;
using async::clock;

constexpr std::uint16_t first_port = 20'000;

struct stamps {
  std::map<std::string, clock::time_point> exposed, removed;  // by "tcp 20000": when the request arrived
};

// Takes every forward, gives up every forward, and notes when.
async::task<http::answer> note(stamps* noted, http::incoming in) {
  const auto now = clock::now();
  http::answer a;
  if (in.head.target == "/services/forwarder/all") {
    a.head.body = "[]\n";
    co_return a;
  }
  const std::string_view body = in.head.body;
  const auto at = body.find("0.0.0.0:");
  if (at == std::string_view::npos) co_return a;
  const auto key = fmt::format("{} {}", body.find("\"udp\"") == body.npos ? "tcp" : "udp", std::atoi(&body[at + 8]));
  auto& into = in.head.target.ends_with("/unexpose") ? noted->removed : noted->exposed;
  into.emplace(key, now);
  co_return a;
}

// Bound, and for TCP listening.
base::unique_fd serve(bool tcp, std::uint16_t port, const net::address& ip = net::address::any_v4()) {
  base::unique_fd fd(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  const auto at = net::to_sockaddr({ip, port});
  if (::bind(fd.get(), at.get(), at.size) != 0 || (tcp && ::listen(fd.get(), 16) != 0))
    throw std::runtime_error("cannot listen");
  return fd;
}

struct times {
  std::vector<double> open, close;
};

class listeners_bench {
 public:
  listeners_bench(std::filesystem::path programs, std::filesystem::path directory)
      : programs_(std::move(programs)), directory_(std::move(directory)), host_(support::listen_on_loopback()) {
    auto* const to = &noted_;
    loop_.spawn(http::serve(std::move(host_.fd), [to](http::incoming in) { return note(to, std::move(in)); }));
  }

  void run(int seconds) {
    start_agent({});
    const auto notified = measure_all("events", 200, 30ms, seconds);
    start_agent({"setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon"});
    const auto polling = measure_all("polling", 100, 77ms, seconds);
    start_agent({"env"}, "-listeners=false");
    const auto predecessor = say("poll each 3 s, TCP", measure_poll(8, 97ms));
    const auto without = say("without listeners", idle(seconds), seconds);
    const auto poller = say("poll each 3 s", idle_poller(seconds), seconds);
    print_latencies(notified, polling, predecessor);
    fmt::print("\n{:46} {:>9} {:>10} {:>10} {:>14}\n", fmt::format("idle, for {} s, a minute", seconds), "events",
               "polling", "without", "poll each 3 s");
    fmt::print("{:46} {:>9.1f} {:>10.1f} {:>10.1f} {:>14.1f}\n", "CPU, ms", notified.quiet.cpu_ms, polling.quiet.cpu_ms,
               without.cpu_ms, poller.cpu_ms);
    fmt::print("{:46} {:>9} {:>10} {:>10} {:>14}\n", "wake-ups", notified.quiet.switches, polling.quiet.switches,
               without.switches, poller.switches);
  }

 private:
  // What is measured of an agent, one way of noticing listeners or the other.
  struct figures_of_agent {
    times tcp, udp;
    double cost = 0, loopback_cost = 0;  // percent of a processor
    process_use quiet;
  };

  figures_of_agent measure_all(std::string_view how, int count, std::chrono::milliseconds pause, int seconds) {
    figures_of_agent f;
    f.tcp = say(fmt::format("{}, TCP", how), measure(true, count, pause));
    f.udp = say(fmt::format("{}, UDP", how), measure(false, count, pause));
    f.cost = storm(net::address::any_v4());
    f.loopback_cost = storm(net::address::loopback_v4());
    fmt::print("{}: 1,000 listeners a second: {:.2f} % of a processor, on 127.0.0.1 {:.2f} %\n", how, f.cost,
               f.loopback_cost);
    f.quiet = say(how, idle(seconds), seconds);
    return f;
  }

  // Prints what is known so far.
  static times say(std::string_view what, times t) {
    fmt::print("{}: opened p50 {:.2f} ms, p99 {:.2f} ms; closed p50 {:.2f} ms, p99 {:.2f} ms\n", what,
               at_share(t.open, 0.5), at_share(t.open, 0.99), at_share(t.close, 0.5), at_share(t.close, 0.99));
    std::fflush(stdout);
    return t;
  }
  static process_use say(std::string_view what, process_use a_minute, int seconds) {
    fmt::print("{}: idle for {} s: {:.1f} ms of CPU and {} wake-ups a minute\n", what, seconds, a_minute.cpu_ms,
               a_minute.switches);
    std::fflush(stdout);
    return a_minute;
  }

  static void print_latencies(const figures_of_agent& notified, const figures_of_agent& polling,
                              const times& predecessor) {
    fmt::print("\n{:46} {:>12} {:>12} {:>18}\n", "", "events", "polling", "poll each 3 s");
    print("listen() to expose request", notified.tcp.open, polling.tcp.open, predecessor.open);
    print("close() to unexpose request", notified.tcp.close, polling.tcp.close, predecessor.close);
    print("UDP: bind() to expose request", notified.udp.open, polling.udp.open, predecessor.open);
    print("UDP: close() to unexpose request", notified.udp.close, polling.udp.close, predecessor.close);
    row("1,000 listeners a second: CPU", notified.cost, polling.cost, "%");
    row("the same on 127.0.0.1, children included", notified.loopback_cost, polling.loopback_cost, "%");
  }

  static void row(std::string_view what, double notified, double own_poll, std::string_view unit, double polled = 0) {
    fmt::print("{:46} {:>9.2f} {:<2} {:>9.2f} {:<2}", what, notified, unit, own_poll, unit);
    if (polled > 0) fmt::print(" {:>8.0f} {} ({:.0f} x)", polled, unit, polled / notified);
    fmt::print("\n");
  }
  static void print(std::string_view what, const std::vector<double>& notified, const std::vector<double>& own_poll,
                    const std::vector<double>& polled) {
    for (const int share : {50, 99})
      row(fmt::format("{}, p{}", what, share), at_share(notified, share / 100.0), at_share(own_poll, share / 100.0),
          "ms", at_share(polled, share / 100.0));
  }

  void wait(std::chrono::milliseconds time) {
    loop_.run_until([] { return false; }, time);
  }

  void start_agent(std::vector<std::string> through, const std::string& flag = "-listeners") {
    agent_.stop();
    through.insert(
        through.end(),
        {programs_ / "rancher-desktop-guestagent", "-adminInstall", "-docker", "-iptables=false", flag,
         fmt::format("-host-switch-url=http://127.0.0.1:{}", host_.port),
         "-docker-socket=" + (directory_ / "docker.sock").string(),
         "-wsl-proxy-socket=" + (directory_ / "wsl-proxy.sock").string(),
         "-status-socket=" + (directory_ / "status.sock").string(), "-state-dir=" + (directory_ / "state").string()});
    agent_ = support::child_process({.argv = through, .log = directory_ / "agent.log"});
    wait(2s);
    if (!agent_.running()) throw std::runtime_error(support::read_text(directory_ / "agent.log"));
  }

  // Opens so many servers one after the other, and closes them so when the last is old enough not to be held.
  times measure(bool tcp, int count, std::chrono::milliseconds pause) {
    times found;
    noted_ = {};
    std::vector<base::unique_fd> servers;
    const auto key = [tcp](int i) { return fmt::format("{} {}", tcp ? "tcp" : "udp", first_port + i); };
    for (int i = 0; i < count; ++i) {
      wait(pause);
      const auto begin = clock::now();
      servers.push_back(serve(tcp, static_cast<std::uint16_t>(first_port + i)));
      if (!loop_.run_until([&] { return noted_.exposed.contains(key(i)); })) throw std::runtime_error("not exposed");
      found.open.push_back(milliseconds(noted_.exposed[key(i)] - begin));
    }
    wait(1500ms);
    for (int i = 0; i < count; ++i) {
      wait(pause);
      const auto begin = clock::now();
      servers[static_cast<std::size_t>(i)].reset();
      if (!loop_.run_until([&] { return noted_.removed.contains(key(i)); })) throw std::runtime_error("not removed");
      found.close.push_back(milliseconds(noted_.removed[key(i)] - begin));
    }
    return found;
  }

  // How late the predecessors' poll notices: the table is read every three seconds, so many times, while servers with a
  // slightly longer life come and go.
  times measure_poll(int reads, std::chrono::milliseconds pause) {
    struct server {
      base::unique_fd fd;
      clock::time_point opened, closed{};
      bool seen = false;
    };
    times found;
    std::vector<server> servers;
    const auto lifetime = static_cast<std::size_t>(3200ms / pause);
    for (auto next_read = clock::now() + 3s; reads > 0;) {
      wait(pause);
      const auto now = clock::now();
      const auto port = [](std::size_t i) { return static_cast<std::uint16_t>(first_port + i); };
      servers.push_back({serve(true, port(servers.size())), now});
      if (servers.size() > lifetime) {
        auto& old = servers[servers.size() - 1 - lifetime];
        old.fd.reset();
        old.closed = now;
      }
      if (now < next_read) continue;
      next_read += 3s;
      --reads;
      const auto table = support::read_text("/proc/thread-self/net/tcp");
      for (std::size_t i = 0; i < servers.size(); ++i) {
        auto& one = servers[i];
        const bool listens = table.contains(fmt::format(":{:04X} 00000000:0000 0A", port(i)));
        if (listens == one.seen) continue;
        (listens ? found.open : found.close).push_back(milliseconds(now - (listens ? one.opened : one.closed)));
        one.seen = listens;
      }
    }
    return found;
  }

  // A thousand servers a second for five seconds, each of them open for 20 ms: the share of one processor.
  double storm(const net::address& ip) {
    const auto before = use_of(agent_.pid(), true);
    const auto begin = clock::now();
    std::vector<base::unique_fd> servers(20);
    for (int i = 0; i < 5'000; ++i) {
      servers[static_cast<std::size_t>(i) % servers.size()] =
          serve(true, static_cast<std::uint16_t>(first_port + i % 5'000), ip);
      const auto next = begin + (i + 1) * 1ms;
      loop_.run_until([next] { return clock::now() >= next; });
    }
    servers.clear();
    const auto share = (use_of(agent_.pid(), true).cpu_ms - before.cpu_ms) / milliseconds(clock::now() - begin);
    wait(3s);
    return share * 100;
  }

  process_use idle(int seconds) {
    wait(3s);
    const auto before = use_of(agent_.pid(), true);
    wait(std::chrono::seconds(seconds));
    return a_minute(before, use_of(agent_.pid(), true), seconds);
  }

  process_use idle_poller(int seconds) {
    support::child_process poller(
        {.argv = {
             "sh", "-c",
             "while :; do cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 >/dev/null; sleep 3; done"}});
    const auto before = use_of(poller.pid(), true);
    wait(std::chrono::seconds(seconds));
    return a_minute(before, use_of(poller.pid(), true), seconds);
  }

  static process_use a_minute(const process_use& before, const process_use& after, int seconds) {
    return {(after.cpu_ms - before.cpu_ms) * 60 / seconds, (after.switches - before.switches) * 60 / seconds};
  }

  std::filesystem::path programs_, directory_;
  support::event_loop loop_;
  support::listening_socket host_;
  stamps noted_;
  support::child_process agent_;
};

void make_namespaces() {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) throw std::runtime_error("needs root, for namespaces of its own");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
    throw std::runtime_error("cannot make a mount namespace of its own");
  for (const auto* words :
       {"link set lo up", "link add eth0 type veth peer name eth1", "address add 192.168.127.2/24 dev eth0",
        "address add 192.168.143.1/24 dev eth0", "link set eth0 up"}) {
    std::istringstream text(std::string("ip ") + words);
    support::run_or_throw({.argv = {std::istream_iterator<std::string>(text), {}}});
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = bench::read_agent_options(
      "listeners_bench", "How soon a server that just listens is forwarded, and what that costs.", "", argc, argv);
  make_namespaces();
  const std::filesystem::path directory = "/run/listeners-bench";
  std::filesystem::create_directory(directory);
  base::log::set_level(base::log::level::error);
  static_cast<void>(base::raise_descriptor_limit());
  listeners_bench(options.programs, directory).run(static_cast<int>(options.idle_seconds));
  return 0;
} catch (const std::exception& e) {
  std::cerr << "listeners_bench: " << e.what() << "\n";
  return 1;
}
