// rules_bench: how quickly a port in a DNAT rule is exposed, and what that costs with 20,000 rules of kube-proxy's
// beside, with each iptables, in a network namespace of its own. Beside it: a shell that lists the table every three
// seconds, as the agent's predecessors did. Then: how long the loopback sink takes to add and to remove thousands of
// its rules, beside iptables-restore doing the same.
#include <fmt/format.h>
#include <sched.h>
#include <stdlib.h>

#include <csignal>
#include <iostream>
#include <map>

#include "base/log.hpp"
#include "http/server.hpp"
#include "kernel/netfilter/lock_watch.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "os/process.hpp"
#include "sinks/loopback/loopback_sink.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/bench/figures.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

using namespace std::chrono_literals;
using namespace figures;
using async::clock;

constexpr int services = 5'000;  // of four rules each
constexpr std::uint16_t first_port = 20'000;

struct stamps {
  std::map<std::uint16_t, clock::time_point> exposed;  // by port: when the request arrived
};

// Takes every forward and notes when it came.
async::task<http::answer> note_expose(stamps* noted, http::incoming in) {
  const auto now = clock::now();
  http::answer a;
  if (in.head.target.ends_with("/all")) a.head.body = "[]\n";
  const auto at = in.head.body.find("0.0.0.0:");
  if (in.head.target.ends_with("/expose") && at != std::string::npos)
    noted->exposed.emplace(static_cast<std::uint16_t>(std::atoi(in.head.body.c_str() + at + 8)), now);
  co_return a;
}

// Time on a processor, to the nanosecond, of all threads; without the process's children.
double run_time_ms(pid_t pid) {
  double sum = 0, one = 0;
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid)))
    if (std::ifstream(thread.path() / "schedstat") >> one) sum += one;
  return sum / 1e6;
}

std::string kube_proxys_rules() {
  std::string chains = "*nat\n:KUBE-SERVICES -\n:KUBE-CHURN -\n", rules;
  for (int i = 0; i < services; ++i) {
    chains += fmt::format(":KUBE-SVC-{0} -\n:KUBE-SEP-{0} -\n", i);
    rules += fmt::format(
        "-A KUBE-SERVICES -d 10.43.{0}.{1}/32 -p tcp -m comment --comment \"default/s{2} cluster IP\" -m tcp --dport "
        "80 -j KUBE-SVC-{2}\n"
        "-A KUBE-SVC-{2} -m comment --comment \"default/s{2}\" -j KUBE-SEP-{2}\n"
        "-A KUBE-SEP-{2} -s 10.42.0.5/32 -m comment --comment \"default/s{2}\" -j MARK --set-xmark 0x4000/0x4000\n"
        "-A KUBE-SEP-{2} -p tcp -m comment --comment \"default/s{2}\" -m tcp -j DNAT --to-destination 10.42.0.5:80\n",
        i / 250, i % 250, i);
  }
  return chains + rules + "COMMIT\n";
}

using loopback_batch = std::vector<ports::operation>;

// The loopback sink beside an engine that publishes many ports on 127.0.0.1, and iptables-restore with the same lines.
class loopback_bench {
 public:
  loopback_bench(std::filesystem::path directory, std::string variant)
      : directory_(std::move(directory)), variant_(std::move(variant)) {
    loopback::loopback_options o;
    o.rules.state_directory = directory_;
    sink_.emplace(loop_.executor(), std::move(o));
  }
  ~loopback_bench() { loop_.stop(); }

  void run() {
    restore("*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\nCOMMIT\n");
    for (const int count : {1'000, 5'000}) compare(count);
    restore(kube_proxys_rules());
    compare(1'000, fmt::format(" beside {} rules", 4 * services));
    changes_beside();
  }

 private:
  static std::string lines(const char* command, int count, bool ours) {
    std::string text = "*nat\n";
    for (int i = 0; i < count; ++i)
      text +=
          fmt::format("{} DOCKER {}! -i docker0 -p tcp -m tcp --dport {} {}-j DNAT --to-destination 172.17.0.2:80\n",
                      command, ours ? "" : "-d 127.0.0.1/32 ", first_port + i,
                      ours ? "-m comment --comment rancher-desktop-guestagent:abc " : "");
    return text + "COMMIT\n";
  }
  static ports::operation operation(ports::verb what, int i) {
    const ports::port_key key{net::protocol::tcp, net::address::loopback_v4(),
                              static_cast<std::uint16_t>(first_port + i)};
    return {what, {key, 80, ports::source_id::docker, "abc"}};
  }
  // In the batches that the reconciler makes.
  double apply(ports::verb what, int count) {
    const auto begin = clock::now();
    for (int done = 0; done < count;) {
      loopback_batch batch;
      while (done < count && batch.size() < sink_->traits().batch) batch.push_back(operation(what, done++));
      for (const auto& outcome : loop_.run_for(sink_->apply(std::move(batch)), 60s))
        if (outcome.kind != ports::outcome_kind::done) throw std::runtime_error(outcome.reason);
    }
    return milliseconds(clock::now() - begin);
  }
  void list() {
    if (auto listed = loop_.run_for(sink_->list(), 60s); !listed) throw std::runtime_error(listed.error().message());
  }
  double restore(std::string lines) {
    const auto begin = clock::now();
    os::process_request request{
        {"iptables-" + variant_ + "-restore", "--noflush", "--wait=5"}, std::move(lines), 1 << 20};
    const auto done = loop_.run_for(os::run_process(std::move(request), 300s), 300s);
    if (!done || done->exit_code != 0) throw std::runtime_error(done ? done->err : done.error().message());
    return milliseconds(clock::now() - begin);
  }

  void compare(int count, const std::string& where = "") {
    restore(lines("-A", count, false));
    list();
    const auto added = apply(ports::verb::add, count), removed = apply(ports::verb::remove, count);
    const auto by_hand = restore(lines("-A", count, true)), away_by_hand = restore(lines("-D", count, true));
    restore(lines("-D", count, false));
    ratio(fmt::format("{} loopback rules added{}", count, where), added, by_hand);
    ratio(fmt::format("{} loopback rules removed{}", count, where), removed, away_by_hand);
  }
  void ratio(const std::string& what, double ours, double theirs) const {
    fmt::print("{:8} {:46} {:>10.2f} ms, iptables-restore {:.2f} ms, ratio {:.3f}\n", variant_, what, ours, theirs,
               ours / theirs);
    std::fflush(stdout);
  }
  // From an engine's rule to the sink's look at it, with nothing else published.
  void changes_beside() {
    std::vector<double> times;
    for (int i = 0; i < 20; ++i) {
      restore(lines(i % 2 == 0 ? "-A" : "-D", 1, false));
      const auto begin = clock::now();
      list();
      times.push_back(milliseconds(clock::now() - begin));
    }
    fmt::print("{:8} {:46} {:>10.2f} ms\n\n", variant_,
               fmt::format("a change taken in beside {} rules, p50", 4 * services), at_share(times, 0.50));
    std::fflush(stdout);
  }

  std::filesystem::path directory_;
  std::string variant_;
  support::event_loop loop_;
  std::optional<loopback::loopback_sink> sink_;
};

class agent_bench {
 public:
  agent_bench(std::filesystem::path programs, std::filesystem::path directory, std::string variant)
      : programs_(std::move(programs)), directory_(std::move(directory)), variant_(std::move(variant)) {
    auto* const to = &noted_;
    auto listener = support::listen_on_loopback();
    host_switch_ = listener.port;
    loop_.spawn(
        http::serve(std::move(listener.fd), [to](http::incoming in) { return note_expose(to, std::move(in)); }));
    rules_.emplace(netlink::change_watch::open(loop_.executor(), {.addresses = false, .gathering = 0ms}).value());
    lock_.emplace(netfilter::lock_watch::open(loop_.executor()).value());
    loop_.spawn(variant_ == "nft" ? note_changes(*rules_, changes_) : note_changes(*lock_, changes_));
  }
  ~agent_bench() { loop_.stop(); }

  void run(int idle_seconds) {
    restore("*nat\n:CNI-HOSTPORT-DNAT -\n-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\nCOMMIT\n");
    start_agent();
    const auto ours = latency("rule to expose request", 200);
    poll_latency(ours);
    restore(kube_proxys_rules());
    settle();
    latency(fmt::format("the same beside {} rules", 4 * services), 20);
    cost("CPU of a change", [this](int i) { publish(first_port + i); });
    cost("CPU of a change of kube-proxy's",
         [this](int i) { restore(fmt::format("*nat\n-A KUBE-CHURN -s 10.0.0.{}/32 -j RETURN\nCOMMIT\n", i)); });
    idle(idle_seconds);
    agent_.kill9();
  }

 private:
  // When the last change was announced: by the kernel, or by the end of the program that made it.
  template <class Watch>
  static async::task<> note_changes(Watch& watch, clock::time_point& last) {
    while (true) {
      co_await watch.changed();
      last = clock::now();
    }
  }

  void restore(std::string lines) {
    os::process_request request{
        {"iptables-" + variant_ + "-restore", "--noflush", "--wait=5"}, std::move(lines), 1 << 20};
    const auto done = loop_.run(os::run_process(std::move(request), 60s));
    if (!done || done->exit_code != 0) throw std::runtime_error(done ? done->err : done.error().message());
  }
  void publish(int port) {
    restore(
        fmt::format("*nat\n:CNI-DN-{0} -\n-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports {0} -j CNI-DN-{0}\n"
                    "-A CNI-DN-{0} -p tcp --dport {0} -j DNAT --to-destination 10.4.0.7:80\nCOMMIT\n",
                    port));
  }
  void unpublish(int port) {
    restore(fmt::format("*nat\n-F CNI-HOSTPORT-DNAT\n-F CNI-DN-{0}\n-X CNI-DN-{0}\nCOMMIT\n", port));
  }
  void settle() {
    loop_.run_until([] { return false; }, 4s);
  }

  void start_agent() {
    agent_ = support::child_process({.argv = {programs_ / "rancher-desktop-guestagent", "-adminInstall", "-iptables",
                                              fmt::format("-host-switch-url=http://127.0.0.1:{}", host_switch_),
                                              "-wsl-proxy-socket=" + (directory_ / "wsl-proxy.sock").string(),
                                              "-status-socket=" + (directory_ / "status.sock").string(),
                                              "-state-dir=" + (directory_ / "state").string()},
                                     .log = directory_ / "agent.log"});
    settle();
  }

  std::vector<double> latency(const std::string& what, int count) {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      const auto port = static_cast<std::uint16_t>(first_port + i);
      publish(port);
      if (!loop_.run_until([&] { return noted_.exposed.contains(port); })) throw std::runtime_error("not exposed");
      times.push_back(milliseconds(noted_.exposed[port] - changes_));
      unpublish(port);
      loop_.run_until([] { return false; }, 100ms);
    }
    noted_.exposed.clear();
    row(what + ", p50", at_share(times, 0.50), "ms");
    row(what + ", p99", at_share(times, 0.99), "ms");
    return times;
  }

  // How late the predecessors' poll notices: rules come at any moment between two listings.
  [[nodiscard]] std::string poll(const std::string& to) const {
    return fmt::format("while :; do iptables-{} -t nat -S >{}.new 2>/dev/null; mv {}.new {}; sleep 3; done", variant_,
                       to, to, to);
  }
  void poll_latency(const std::vector<double>& ours) {
    const auto listing = (directory_ / ("listing-" + variant_)).string();
    const support::child_process poller({.argv = {"sh", "-c", poll(listing)}});
    std::vector<double> times;
    for (int i = 0; i < 8; ++i) {
      loop_.run_until([] { return false; }, i * 375ms);
      publish(first_port + i);
      const auto seen = [&] {
        return support::read_text(listing).contains(fmt::format("--dport {} ", first_port + i));
      };
      if (!loop_.run_until(seen, 20s)) throw std::runtime_error("not listed");
      times.push_back(milliseconds(clock::now() - changes_));
      unpublish(first_port + i);
    }
    for (const auto share : {0.50, 0.99}) {
      const auto late = at_share(times, share);
      row(fmt::format("rule to listing of a poll every 3 s, p{:.0f}", share * 100), late, "ms");
      row("  … as many times as late as ours", late / at_share(ours, share), "");
    }
    noted_.exposed.clear();
  }

  // Of the agent itself, and of the programs that it runs for the loopback rules.
  template <class Change>
  void cost(const std::string& what, Change change) {
    constexpr int count = 10;
    const auto own = run_time_ms(agent_.pid());
    const auto all = use_of(agent_.pid(), true).cpu_ms - use_of(agent_.pid()).cpu_ms;
    for (int i = 0; i < count; ++i) {
      change(i);
      loop_.run_until([] { return false; }, 1500ms);
    }
    row(what, (run_time_ms(agent_.pid()) - own) / count, "ms");
    row("  … of programs that the loopback sink runs",
        (use_of(agent_.pid(), true).cpu_ms - use_of(agent_.pid()).cpu_ms - all) / count, "ms");
  }

  // With nothing published: host-switch's part in being idle is measured by agent_bench.
  void idle(int seconds) {
    restore("*nat\n-F CNI-HOSTPORT-DNAT\nCOMMIT\n");
    settle();
    support::child_process poller({.argv = {"sh", "-c", poll((directory_ / ("listing-" + variant_)).string())}});
    const auto before_polling = use_of(poller.pid(), true);
    // A program that lists takes iptables-legacy's lock, too: the agent is measured without it.
    loop_.run_until([] { return false; }, std::chrono::seconds(seconds));
    const auto polling = use_of(poller.pid(), true);
    poller.kill9();
    settle();
    const auto own = run_time_ms(agent_.pid());
    const auto before = use_of(agent_.pid());
    loop_.run_until([] { return false; }, std::chrono::seconds(seconds));
    const double minutes = seconds / 60.0;
    row("CPU a minute, idle", (run_time_ms(agent_.pid()) - own) / minutes, "ms");
    row("wake-ups a minute", static_cast<double>(use_of(agent_.pid()).switches - before.switches) / minutes, "");
    row("CPU a minute of the poll every 3 s", (polling.cpu_ms - before_polling.cpu_ms) / minutes, "ms");
    row("wake-ups a minute of its shell alone",
        static_cast<double>(polling.switches - before_polling.switches) / minutes, "");
    row("resident memory", static_cast<double>(status_kib(agent_.pid(), "VmRSS:")) / 1024, "MB");
    std::cout << '\n';
  }

  void row(const std::string& what, double value, std::string_view unit) const {
    fmt::print("{:8} {:46} {:>10.2f} {}\n", variant_, what, value, unit);
    std::fflush(stdout);
  }

  std::filesystem::path programs_, directory_;
  std::string variant_;
  support::event_loop loop_;
  stamps noted_;
  std::uint16_t host_switch_ = 0;
  std::optional<netlink::change_watch> rules_;
  std::optional<netfilter::lock_watch> lock_;
  clock::time_point changes_{};
  support::child_process agent_;
};

}  // namespace

namespace {

template <class Run>
void in_fresh_namespace(Run&& run) {
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("needs root, for a network namespace of its own");
  support::run_or_throw({.argv = {"ip", "link", "set", "lo", "up"}});
  const support::temp_dir directory;
  run(directory.path());
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = bench::read_agent_options(
      "rules_bench", "How quickly a port in a DNAT rule is exposed, and what that costs beside thousands of rules.",
      "the loopback sink alone.", argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  base::log::set_level(base::log::level::error);
  for (const char* variant : {"nft", "legacy"}) {
    in_fresh_namespace([&](const std::filesystem::path& directory) { loopback_bench(directory, variant).run(); });
    if (options.idle_seconds == 0) continue;
    in_fresh_namespace([&](const std::filesystem::path& directory) {
      agent_bench(options.programs, directory, variant).run(static_cast<int>(options.idle_seconds));
    });
  }
  return 0;
} catch (const std::exception& e) {
  std::cerr << "rules_bench: " << e.what() << "\n";
  return 1;
}
