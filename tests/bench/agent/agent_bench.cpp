// agent_bench: what the agent costs and how quick it is, against a fake engine and a fake or real host-switch, in a
// network namespace of its own. Times of events are printed beside those of a bare client, in turns with it: event by
// event. Other times are printed beside the same work done by a bare loop in this program.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <span>

#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/server.hpp"
#include "json/json.hpp"
#include "tests/bench/agent/bare_client.hpp"
#include "tests/bench/agent/step_times.hpp"
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

// One that follows events: the agent or a bare client, each with an engine and a host-switch of its own.
struct follower {
  std::function<void(const std::string& id, std::uint16_t port)> run;
  std::function<void(const std::string& id)> end;
  stamps noted{};
  std::uint16_t host_switch = 0;
  std::vector<double> times{}, quiet_times{};
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
        bare_engine_(loop_.executor(), directory_ / "bare-docker.sock"),
        containerd_(directory_ / "containerd.sock") {}

  // `without_quiet`: nothing is measured that takes quiet.
  void run(int idle_seconds, bool without_quiet) {
    engine_.start();
    brisk_ = without_quiet;
    if (idle_seconds == 0) return many();
    latency();
    if (!without_quiet) idle(idle_seconds);
    agent_.stop();
    steps("-docker", docker_);
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
    std::vector<std::string> argv = {programs_ / "rancher-desktop-guestagent",
                                     "-adminInstall",
                                     "-docker=" + std::string(engine_flag == "-containerd" ? "false" : "true"),
                                     engine_flag,
                                     "-iptables=false",
                                     "-listeners=false",
                                     "-kubeconfig=" + (directory_ / "k3s.yaml").string(),
                                     "-host-switch-url=" + host_switch,
                                     "-docker-socket=" + (directory_ / "docker.sock").string(),
                                     "-containerdSock=" + (directory_ / "containerd.sock").string(),
                                     "-wsl-proxy-socket=" + (directory_ / "wsl-proxy.sock").string(),
                                     "-status-socket=" + (directory_ / "status.sock").string(),
                                     "-state-dir=" + (directory_ / "state").string()};
    if (traced_) argv.emplace_back("-trace-events");
    agent_ = support::child_process({.argv = std::move(argv), .log = directory_ / "agent.log"});
  }

  void start_agent(const std::string& host_switch) {
    launch_agent(host_switch, "-docker");
    const auto before = engine_.subscribers;
    if (!loop_.run_until([&] { return engine_.subscribers > before && engine_.lists > 0; }))
      throw std::runtime_error("the agent does not connect");
  }

  // A host-switch that only notes when requests come.
  void listen_for(follower& one) {
    auto* const to = &one.noted;
    auto listener = support::listen_on_loopback();
    one.host_switch = listener.port;
    loop_.spawn(
        http::serve(std::move(listener.fd), [to](http::incoming in) { return note_expose(to, std::move(in)); }));
  }

  static void use(follower& one, support::fake_docker& engine) {
    one.run = [&engine](const std::string& id, std::uint16_t port) { engine.run(id, port); };
    one.end = [&engine](const std::string& id) {
      engine.end(id);
      engine.containers.erase(id);
    };
  }
  static void use(follower& one, support::fake_containerd& engine) {
    one.run = [&engine](const std::string& id, std::uint16_t port) { engine.run(id, port); };
    one.end = [&engine](const std::string& id) {
      engine.end("default", id);
      engine.forget("default", id);
    };
  }

  // From the engine's event to the expose request at host-switch.
  void latency() {
    bare_engine_.start();
    use(docker_, engine_);
    use(docker_bare_, bare_engine_);
    listen_for(docker_);
    listen_for(docker_bare_);
    start_agent(on_loopback(docker_.host_switch));
    auto bare = bench::start_bare_client(bench::bare_engine::docker, directory_ / "bare-docker.sock",
                                         docker_bare_.host_switch, directory_ / "bare.log");
    wait_for([&] { return bare_engine_.subscribers > 0; });
    time_both(docker_, docker_bare_);
    print_events("with Docker", docker_, docker_bare_);
  }

  void time_both(follower& agent, follower& bare) {
    time_events(brisk, {&agent, &bare});
    if (!brisk_) time_events(quiet, {&agent, &bare});
  }

  static void print_events(const std::string& title, const follower& agent, const follower& bare) {
    fmt::print("{:46} {:>12} {:>12} {:>8}\n", title, "agent", "bare client", "ratio");
    row("event to expose request, p50 (goal: 1.5 x)", at_share(agent.times, 0.50), at_share(bare.times, 0.50), "ms");
    row("event to expose request, p99 (goal: 2 x)", at_share(agent.times, 0.99), at_share(bare.times, 0.99), "ms");
    if (!agent.quiet_times.empty())
      row("after 1.3 s of quiet, the slowest of 20", at_share(agent.quiet_times, 1), at_share(bare.quiet_times, 1),
          "ms");
    fmt::print("\n");
  }

  template <class Predicate>
  void wait_for(Predicate holds) {
    if (!loop_.run_until(holds)) throw std::runtime_error("a program does not connect");
  }

  // Events close behind each other, or each after a time of quiet: what sleeps then may wake up late.
  struct rhythm {
    int count;
    std::chrono::milliseconds quiet;
  };
  static constexpr rhythm brisk{1000, 2ms}, quiet{20, 1300ms};

  void rest(std::chrono::milliseconds how_long) {
    auto wait = [](std::chrono::milliseconds time) -> async::task<bool> {
      co_await async::sleep_for(time);
      co_return true;
    };
    loop_.run(wait(how_long));
  }

  double time_event(follower& one, const std::string& id, std::uint16_t port) {
    const auto begin = clock::now();
    one.run(id, port);
    if (!loop_.run_until([&] { return one.noted.exposed.contains(port); })) throw std::runtime_error("not exposed");
    const auto took = milliseconds(one.noted.exposed[port] - begin);
    one.end(id);
    return took;
  }

  void time_events(rhythm how, const std::vector<follower*>& all) {
    for (auto* one : all) one->noted.exposed.clear();
    for (int i = 0; i < how.count; ++i)
      for (auto* one : all) {
        rest(how.quiet);
        const auto took = time_event(*one, "c" + std::to_string(i), static_cast<std::uint16_t>(first_port + i));
        if (how.count < brisk.count)
          one->quiet_times.push_back(took);
        else if (i >= 20)
          one->times.push_back(took);
      }
  }

  // What the agent itself says about each step; it writes a line behind each event.
  void steps(const std::string& engine_flag, follower& agent) {
    std::filesystem::remove(directory_ / "agent.log");
    traced_ = true;
    const auto subscribed = [this] { return engine_.subscribers + containerd_.subscribers(); };
    const auto before = subscribed();
    launch_agent(on_loopback(agent.host_switch), engine_flag);
    wait_for([&] { return subscribed() > before; });
    loop_.run_until([] { return false; }, 1500ms);  // the lists
    time_events(traced, {&agent});
    agent_.stop();
    traced_ = false;
    bench::print_steps("where the time goes, " + engine_flag,
                       bench::read_step_times(directory_ / "agent.log", "host-switch"));
  }
  static constexpr rhythm traced{500, 2ms};

  // The same with containerd: from its event over two questions to the expose request.
  void with_containerd(int seconds) {
    auto& agent = containerd_follower_;
    auto& bare = containerd_bare_;
    support::fake_containerd bare_engine(directory_ / "bare-containerd.sock");
    bare_engine.start();
    use(agent, containerd_);
    use(bare, bare_engine);
    listen_for(agent);
    listen_for(bare);
    containerd_.start();
    launch_agent(on_loopback(agent.host_switch), "-containerd");
    wait_for([this] { return containerd_.subscribers() > 0 && containerd_.lists() > 1; });
    auto bare_client = bench::start_bare_client(bench::bare_engine::containerd, directory_ / "bare-containerd.sock",
                                                bare.host_switch, directory_ / "bare.log");
    wait_for([&] { return bare_engine.subscribers() > 0; });
    time_both(agent, bare);
    print_events("with containerd", agent, bare);
    bare_client.kill9();
    if (!brisk_) idle_with_containerd(seconds);
    agent_.stop();
    steps("-containerd", agent);
    containerd_.stop();
  }

  void idle_with_containerd(int seconds) {
    loop_.run_until([] { return false; }, 3s);
    const auto before = use_of(agent_.pid());
    loop_.run_until([] { return false; }, std::chrono::seconds(seconds));
    const auto after = use_of(agent_.pid());
    const double minutes = seconds / 60.0;
    fmt::print("{:46} {:>9.2f} ms\n", "CPU a minute, idle", (after.cpu_ms - before.cpu_ms) / minutes);
    fmt::print("{:46} {:>12.1f}\n", "wake-ups a minute",
               static_cast<double>(after.switches - before.switches) / minutes);
    fmt::print("{:46} {:>9.2f} MB\n\n", "resident memory (goal: < 8 MB)",
               static_cast<double>(status_kib(agent_.pid(), "VmRSS:")) / 1024);
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
    fmt::print("{:46} {:>9.2f} MB\n", "resident memory (goal: < 6 MB)",
               static_cast<double>(status_kib(agent_.pid(), "VmRSS:")) / 1024);
    fmt::print("{:46} {:>9.2f} MB\n", "of which its own, not shared library text",
               static_cast<double>(status_kib(agent_.pid(), "RssAnon:")) / 1024);
    fmt::print("{:46} {:>9.2f} MB\n\n", "size of the program",
               static_cast<double>(std::filesystem::file_size(programs_ / "rancher-desktop-guestagent")) / 1e6);
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
    expose_many("-docker", "goal: < 500 ms", bare);
    expose_many("-containerd", "containerd", bare);
    containerd_.stop();
  }

  void expose_many(const std::string& engine_flag, std::string_view note, double bare) {
    std::filesystem::remove(journal());
    const auto host_switch = http::to_string(start_host_switch());
    const auto begin = clock::now();
    launch_agent(host_switch, engine_flag);
    // A question about the metrics takes the agent's time: none before the last request is about to be sent.
    while (!all_begun() && clock::now() < begin + 60s) rest(1ms);
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
    auto& services = services_;
    listen_for(services);
    support::fake_kubernetes api;
    api.start();
    std::ofstream(directory_ / "k3s.yaml") << api.kubeconfig();
    services.run = [&](const std::string& id, std::uint16_t port) { api.put({.name = id, .ports = {{80, port}}}); };
    services.end = [&](const std::string& id) { api.remove(id); };
    launch_agent(on_loopback(services.host_switch), "-kubernetes=true");
    if (!loop_.run_until([&] { return api.watching() > 0; })) throw std::runtime_error("the agent does not connect");
    time_events(brisk, {&services});
    agent_.stop();
    fmt::print("{:46} {:>12} {:>12} {:>8}\n", "with Kubernetes", "agent", "with Docker", "ratio");
    row("event to expose request, p50", at_share(services.times, 0.50), at_share(docker_.times, 0.50), "ms");
    row("event to expose request, p99", at_share(services.times, 0.99), at_share(docker_.times, 0.99), "ms");
    many_services(api, services.host_switch, services.noted);
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
    host_switch_ = support::child_process({.argv = {programs_ / "host-switch", "-network=kernel"},
                                           .log = directory_ / "host-switch.log",
                                           .net_namespace = host_.path()});
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

  [[nodiscard]] std::filesystem::path journal() const { return directory_ / "state" / "host-switch.journal"; }
  // Whether the agent has written the line of each port.
  [[nodiscard]] bool all_begun() const {
    constexpr std::string_view shortest_line = "+ tcp 0.0.0.0 20000 0 docker\n";
    std::error_code absent;
    const auto size = std::filesystem::file_size(journal(), absent);
    return !absent && size >= many_ports * shortest_line.size();
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
  support::fake_docker engine_, bare_engine_;
  support::fake_containerd containerd_;
  follower docker_{}, docker_bare_{}, containerd_follower_{}, containerd_bare_{}, services_{};
  bool traced_ = false, brisk_ = false;
  support::child_process agent_, host_switch_;
};

}  // namespace

int main(int argc, char** argv) try {
  const std::span<char* const> arguments(argv, static_cast<std::size_t>(argc));
  if (bench::is_bare_client(arguments)) bench::run_bare_client(arguments);
  const auto options = bench::read_agent_options(
      "agent_bench", "What the agent costs and how quick it is, beside the same work done by a bare loop.",
      "the 10,000 ports alone.", argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  const support::netns host("host"), vm("vm");
  support::connect({&host, "rd", "192.168.127.1/24"}, {&vm, "eth0", "192.168.127.2/24"});
  const support::inside in_vm(vm);
  const support::temp_dir directory;
  base::log::set_level(base::log::level::error);
  agent_bench(host, options.programs, directory.path()).run(static_cast<int>(options.idle_seconds), options.brisk);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "agent_bench: " << e.what() << "\n";
  return 1;
}
