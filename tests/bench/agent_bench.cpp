// agent_bench: what the agent costs and how quick it is, against a fake engine and a fake or real host-switch, in a
// network namespace of its own. Every time is printed beside the same work done by a bare loop in this program.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>

#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/server.hpp"
#include "json/json.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/bench/figures.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/fake_kubernetes.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

using namespace std::chrono_literals;
using async::clock;
using namespace figures;

constexpr std::uint16_t first_port = 20'000;

struct stamps {
  std::map<std::uint16_t, clock::time_point> exposed;  // by port: when the request arrived
};

// Takes every forward and notes when it came.
async::task<http::answer> note_expose(stamps* noted, http::incoming in) {
  const auto now = clock::now();
  http::answer a;
  if (in.head.target == "/services/forwarder/all") {
    a.head.body = "[]\n";
    co_return a;
  }
  const auto at = in.head.body.find("0.0.0.0:");
  if (in.head.target.ends_with("/expose") && at != std::string::npos)
    noted->exposed.emplace(static_cast<std::uint16_t>(std::atoi(in.head.body.c_str() + at + 8)), now);
  co_return a;
}

constexpr int many_ports = 10'000;

class agent_bench {
 public:
  agent_bench(const support::netns& host, std::filesystem::path programs, std::filesystem::path directory)
      : host_(host),
        programs_(std::move(programs)),
        directory_(std::move(directory)),
        engine_(loop_.executor(), directory_ / "docker.sock"),
        containerd_(directory_ / "containerd.sock") {}

  void run(int idle_seconds) {
    engine_.start();
    if (idle_seconds == 0) return many();
    fmt::print("{:46} {:>12} {:>12} {:>8}\n", "", "agent", "bare loop", "ratio");
    latency();
    idle(idle_seconds);
    with_containerd(idle_seconds);
    with_kubernetes();
    many();
  }

 private:
  static void row(std::string_view what, double ours, double bare, std::string_view unit) {
    fmt::print("{:46} {:>9.2f} {:<2} {:>9.2f} {:<2} {:>7.1f}x\n", what, ours, unit, bare, unit,
               bare > 0 ? ours / bare : 0);
  }

  static std::string on_loopback(std::uint16_t port) { return fmt::format("http://127.0.0.1:{}", port); }

  void launch_agent(const std::string& host_switch, const std::string& engine_flag) {
    agent_ = support::child_process(
        {.argv = {programs_ / "rancher-desktop-guestagent", "-adminInstall",
                  "-docker=" + std::string(engine_flag == "-containerd" ? "false" : "true"), engine_flag,
                  "-iptables=false", "-listeners=false", "-kubeconfig=" + (directory_ / "k3s.yaml").string(),
                  "-host-switch-url=" + host_switch, "-docker-socket=" + (directory_ / "docker.sock").string(),
                  "-containerdSock=" + (directory_ / "containerd.sock").string(),
                  "-wsl-proxy-socket=" + (directory_ / "wsl-proxy.sock").string(),
                  "-status-socket=" + (directory_ / "status.sock").string(),
                  "-state-dir=" + (directory_ / "state").string()},
         .log = directory_ / "agent.log"});
  }

  void start_agent(const std::string& host_switch) {
    launch_agent(host_switch, "-docker");
    const auto before = engine_.subscribers;
    if (!loop_.run_until([&] { return engine_.subscribers > before && engine_.lists > 0; }))
      throw std::runtime_error("the agent does not connect");
  }

  // From the engine's event to the expose request at host-switch; the bare loop asks the engine and posts, no more.
  void latency() {
    stamps noted;
    auto* const to = &noted;
    auto listener = support::listen_on_loopback();
    loop_.spawn(
        http::serve(std::move(listener.fd), [to](http::incoming in) { return note_expose(to, std::move(in)); }));
    start_agent(on_loopback(listener.port));
    std::vector<double> bare;
    const auto run = [this](const std::string& id, std::uint16_t port) { engine_.run(id, port); };
    const auto end = [this](const std::string& id) {
      engine_.end(id);
      engine_.containers.erase(id);
    };
    docker_times_ = time_events(brisk, noted, run, end);
    docker_quiet_times_ = time_events(quiet, noted, run, end);
    measure_bare(listener.port, bare);
    row("event to expose request, p50", at_share(docker_times_, 0.50), at_share(bare, 0.50), "ms");
    row("event to expose request, p99 (goal: < 1 ms)", at_share(docker_times_, 0.99), at_share(bare, 0.99), "ms");
  }

  // Events close behind each other, or each after a time of quiet: what sleeps then may wake up late.
  struct rhythm {
    int count;
    std::chrono::milliseconds quiet;
  };
  static constexpr rhythm brisk{1000, 2ms}, quiet{20, 1300ms};

  template <class Run, class End>
  std::vector<double> time_events(rhythm how, stamps& noted, Run run, End end) {
    std::vector<double> times;
    noted.exposed.clear();
    for (int i = 0; i < how.count; ++i) {
      const auto port = static_cast<std::uint16_t>(first_port + i);
      const auto id = "c" + std::to_string(i);
      loop_.run_until([] { return false; }, how.quiet);
      const auto begin = clock::now();
      run(id, port);
      if (!loop_.run_until([&] { return noted.exposed.contains(port); })) throw std::runtime_error("not exposed");
      if (i >= 20 || how.count <= 20) times.push_back(milliseconds(noted.exposed[port] - begin));
      end(id);
    }
    return times;
  }

  // The same with containerd: from its event over two questions to the expose request, beside Docker's times.
  void with_containerd(int seconds) {
    stamps noted;
    auto* const to = &noted;
    auto listener = support::listen_on_loopback();
    loop_.spawn(
        http::serve(std::move(listener.fd), [to](http::incoming in) { return note_expose(to, std::move(in)); }));
    containerd_.start();
    launch_agent(on_loopback(listener.port), "-containerd");
    if (!loop_.run_until([this] { return containerd_.subscribers() > 0 && containerd_.lists() > 1; }))
      throw std::runtime_error("the agent does not connect");
    const auto run = [this](const std::string& id, std::uint16_t port) { containerd_.run(id, port); };
    const auto end = [this](const std::string& id) {
      containerd_.end("default", id);
      containerd_.forget("default", id);
    };
    const auto times = time_events(brisk, noted, run, end);
    const auto quiet_times = time_events(quiet, noted, run, end);
    fmt::print("{:46} {:>12} {:>12} {:>8}\n", "with containerd", "agent", "with Docker", "ratio");
    row("event to expose request, p50", at_share(times, 0.50), at_share(docker_times_, 0.50), "ms");
    row("event to expose request, p99", at_share(times, 0.99), at_share(docker_times_, 0.99), "ms");
    row("after 1.3 s of quiet, the slowest of 20", at_share(quiet_times, 1), at_share(docker_quiet_times_, 1), "ms");
    loop_.run_until([] { return false; }, 3s);
    const auto before = use_of(agent_.pid());
    loop_.run_until([] { return false; }, std::chrono::seconds(seconds));
    const auto after = use_of(agent_.pid());
    const double minutes = seconds / 60.0;
    fmt::print("{:46} {:>9.2f} ms\n", "CPU a minute, idle", (after.cpu_ms - before.cpu_ms) / minutes);
    fmt::print("{:46} {:>12.1f}\n", "wake-ups a minute",
               static_cast<double>(after.switches - before.switches) / minutes);
    fmt::print("{:46} {:>9.2f} MB\n\n", "resident memory (goal: < 20 MB)",
               static_cast<double>(status_kib(agent_.pid(), "VmRSS:")) / 1024);
    agent_.stop();
    containerd_.stop();
  }

  void measure_bare(std::uint16_t port, std::vector<double>& times) {
    engine_.run("bare", first_port);
    auto engine = loop_.run(http::connection::open({.path = directory_ / "docker.sock"}, 5s)).value();
    auto host = loop_.run(http::connection::open({.host = "127.0.0.1", .port = port}, 5s)).value();
    for (int i = 0; i < 500; ++i) {
      const auto begin = clock::now();
      loop_.run(engine.exchange({.target = "/v1.41/containers/bare/json"}, {})).value();
      loop_
          .run(host.exchange(
              {.method = "POST", .target = "/services/forwarder/expose", .body = R"({"local":"0.0.0.0:1"})"}, {}))
          .value();
      times.push_back(milliseconds(clock::now() - begin));
    }
    engine_.end("bare");
    engine_.containers.clear();
  }

  // Beside the agent: a shell that lists the nat table every three seconds, as the agent's predecessors did.
  void idle(int seconds) {
    loop_.run_until([] { return false; }, 3s);
    support::child_process poller(
        {.argv = {"sh", "-c", "while :; do iptables -t nat -S >/dev/null 2>&1; sleep 3; done"}});
    const auto before = use_of(agent_.pid()), poller_before = use_of(poller.pid(), true);
    loop_.run_until([] { return false; }, std::chrono::seconds(seconds));
    const auto after = use_of(agent_.pid()), poller_after = use_of(poller.pid(), true);
    const double minutes = seconds / 60.0;
    fmt::print("\n{:46} {:>12} {:>12} {:>8}\n", fmt::format("idle, for {} s", seconds), "agent", "poll each 3s",
               "ratio");
    row("CPU a minute", (after.cpu_ms - before.cpu_ms) / minutes,
        (poller_after.cpu_ms - poller_before.cpu_ms) / minutes, "ms");
    fmt::print("{:46} {:>12.1f}\n", "wake-ups a minute (host-switch closes each 10 s)",
               static_cast<double>(after.switches - before.switches) / minutes);
    fmt::print("{:46} {:>9.2f} MB\n", "resident memory (goal: < 10 MB)",
               static_cast<double>(status_kib(agent_.pid(), "VmRSS:")) / 1024);
    fmt::print("{:46} {:>9.2f} MB\n", "of which its own, not shared library text",
               static_cast<double>(status_kib(agent_.pid(), "RssAnon:")) / 1024);
    fmt::print("{:46} {:>9.2f} MB\n\n", "size of the program",
               static_cast<double>(std::filesystem::file_size(programs_ / "rancher-desktop-guestagent")) / 1e6);
    agent_.stop();
  }

  // One container with 10,000 ports against the real host-switch; the bare loop posts them one after the other.
  void many() {
    const double bare = post_all(many_ports);
    std::string ports = "[", mappings = "[";
    for (int i = 0; i < many_ports; ++i) {
      const char* comma = i == 0 ? "" : ",";
      ports += fmt::format(R"({}{{"IP":"0.0.0.0","PrivatePort":{},"PublicPort":{},"Type":"tcp"}})", comma, i + 1,
                           first_port + i);
      mappings += fmt::format(R"({}{{"HostPort":{},"ContainerPort":{},"Protocol":"tcp","HostIP":""}})", comma,
                              first_port + i, i + 1);
    }
    engine_.containers["many"] = {.name = "many", .list_json = ports + "]"};
    containerd_.start();
    containerd_.run("default", "many", {{"nerdctl/ports", mappings + "]"}});
    fmt::print("{:46} {:>12} {:>12} {:>8}\n", "", "agent", "bare loop", "ratio");
    expose_many("-docker", "goal: < 1000 ms", bare);
    expose_many("-containerd", "containerd", bare);
    containerd_.stop();
  }

  void expose_many(const std::string& engine_flag, std::string_view note, double bare) {
    const auto begin = clock::now();
    launch_agent(http::to_string(start_host_switch()), engine_flag);
    if (!loop_.run_until([&] { return applied() == many_ports; }, 60s)) throw std::runtime_error("not all exposed");
    row(fmt::format("{} ports exposed ({})", many_ports, note), milliseconds(clock::now() - begin), bare, "ms");
    fmt::print("{:46} {:>9.2f} MB\n", "resident memory with them",
               static_cast<double>(status_kib(agent_.pid(), "VmRSS:")) / 1024);
    agent_.stop();
    host_switch_.stop();
  }

  // The same with Kubernetes; then 20,000 Services that were there before the agent. The bare loop reads the same pages
  // and posts one port after the other.
  void with_kubernetes() {
    stamps noted;
    auto* const to = &noted;
    auto listener = support::listen_on_loopback();
    loop_.spawn(
        http::serve(std::move(listener.fd), [to](http::incoming in) { return note_expose(to, std::move(in)); }));
    support::fake_kubernetes api;
    api.start();
    std::ofstream(directory_ / "k3s.yaml") << api.kubeconfig();
    launch_agent(on_loopback(listener.port), "-kubernetes=true");
    if (!loop_.run_until([&] { return api.watching() > 0; })) throw std::runtime_error("the agent does not connect");
    const auto times = time_events(
        brisk, noted, [&](const std::string& id, std::uint16_t port) { api.put({.name = id, .ports = {{80, port}}}); },
        [&](const std::string& id) { api.remove(id); });
    agent_.stop();
    fmt::print("{:46} {:>12} {:>12} {:>8}\n", "with Kubernetes", "agent", "with Docker", "ratio");
    row("event to expose request, p50", at_share(times, 0.50), at_share(docker_times_, 0.50), "ms");
    row("event to expose request, p99", at_share(times, 0.99), at_share(docker_times_, 0.99), "ms");
    many_services(api, listener.port, noted);
  }

  void many_services(support::fake_kubernetes& api, std::uint16_t host_switch, stamps& noted) {
    constexpr int count = 20'000;
    for (int i = 0; i < count; ++i) api.put({.name = fmt::format("s{}", i), .ports = {{80, first_port + i}}});
    const auto bare = list_and_post(api, host_switch, count);
    noted.exposed.clear();
    const auto begin = clock::now();
    launch_agent(on_loopback(host_switch), "-kubernetes=true");
    if (!loop_.run_until([&] { return noted.exposed.size() == count; }, 60s))
      throw std::runtime_error("not all exposed");
    const auto ours = milliseconds(clock::now() - begin);
    fmt::print("\n{:46} {:>12} {:>12} {:>8}\n", "", "agent", "bare loop", "ratio");
    row(fmt::format("{} Services listed and exposed", count), ours, bare, "ms");
    fmt::print("{:46} {:>9.2f} MB\n\n", "resident memory at its peak",
               static_cast<double>(status_kib(agent_.pid(), "VmHWM:")) / 1024);
    agent_.kill9();  // taking 20,000 ports back from the fake is not what is measured
  }

  double list_and_post(const support::fake_kubernetes& api, std::uint16_t host_switch, int count) {
    const auto begin = clock::now();
    const auto server = http::parse_server_address(api.url()).value();
    auto cluster = loop_.run(http::connection::open(server, 5s)).value();
    std::string token = "first";
    for (std::string more; !token.empty(); more = "&continue=" + token) {
      const auto page = loop_.run(cluster.exchange({.target = "/api/v1/services?limit=500" + more}, {})).value();
      const auto at = page.body.find("\"continue\":\"") + 12;
      token = page.body.substr(at, page.body.find('"', at) - at);
    }
    auto host = loop_.run(http::connection::open({.host = "127.0.0.1", .port = host_switch}, 5s)).value();
    for (int i = 0; i < count; ++i) {
      const auto body =
          fmt::format(R"({{"local":"0.0.0.0:{0}","remote":"192.168.127.2:{0}","protocol":"tcp"}})", first_port + i);
      loop_.run(host.exchange({.method = "POST", .target = "/services/forwarder/expose", .body = body}, {})).value();
    }
    return milliseconds(clock::now() - begin);
  }

  // Serves the VM alone, so it runs in the host's namespace.
  http::server_address start_host_switch() {
    host_switch_ = support::child_process(
        {.argv = {programs_ / "host-switch"}, .log = directory_ / "host-switch.log", .net_namespace = host_.path()});
    const http::server_address api{.host = "192.168.127.1"};
    if (!loop_.run_until([&] { return loop_.run(http::connection::open(api, 1s)).has_value(); }))
      throw std::runtime_error("host-switch");
    return api;
  }

  double post_all(int count) {
    const auto api = start_host_switch();
    auto host = loop_.run(http::connection::open(api, 5s)).value();
    const auto begin = clock::now();
    for (int i = 0; i < count; ++i) {
      const auto body =
          fmt::format(R"({{"local":"0.0.0.0:{0}","remote":"192.168.127.2:{0}","protocol":"tcp"}})", first_port + i);
      loop_.run(host.exchange({.method = "POST", .target = "/services/forwarder/expose", .body = body}, {})).value();
    }
    const double took = milliseconds(clock::now() - begin);
    host_switch_.stop();
    return took;
  }

  int applied() {
    auto agent = loop_.run(http::connection::open({.path = directory_ / "status.sock"}, 1s));
    if (!agent) return 0;
    const auto metrics = loop_.run(agent->exchange({.target = "/metrics"}, {}));
    constexpr std::string_view wanted = "guestagent_peer_ports{peer=\"host-switch\",state=\"applied\"} ";
    const auto at = metrics ? metrics->body.find(wanted) : std::string::npos;
    return at == std::string::npos ? 0 : std::atoi(metrics->body.c_str() + at + wanted.size());
  }

  const support::netns& host_;
  std::filesystem::path programs_, directory_;
  support::event_loop loop_;
  support::fake_docker engine_;
  support::fake_containerd containerd_;
  std::vector<double> docker_times_, docker_quiet_times_;
  support::child_process agent_, host_switch_;
};

}  // namespace

int main(int argc, char** argv) try {
  const auto options = bench::read_agent_options(
      "agent_bench", "What the agent costs and how quick it is, beside the same work done by a bare loop.",
      "the 10,000 ports alone.", argc, argv);
  const support::netns host("host"), vm("vm");
  support::connect({&host, "rd", "192.168.127.1/24"}, {&vm, "eth0", "192.168.127.2/24"});
  const support::inside in_vm(vm);
  const support::temp_dir directory;
  base::log::set_level(base::log::level::error);
  agent_bench(host, options.programs, directory.path()).run(static_cast<int>(options.idle_seconds));
  return 0;
} catch (const std::exception& e) {
  std::cerr << "agent_bench: " << e.what() << "\n";
  return 1;
}
