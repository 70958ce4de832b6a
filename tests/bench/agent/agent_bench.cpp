// agent_bench: what the agent costs and how quick it is, against a fake engine and a fake or real host-switch, in a
// network namespace of its own. Times of events are printed beside those of a bare client, in turns with it: event by
// event. Other times are printed beside the same work done by a bare loop in this program.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>

#include "base/log.hpp"
#include "tests/bench/agent/agent_arena.hpp"
#include "tests/bench/agent/bare_client.hpp"
#include "tests/bench/agent/event_times.hpp"
#include "tests/bench/agent/idle_use.hpp"
#include "tests/bench/agent/many_ports.hpp"
#include "tests/bench/agent/step_times.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

using namespace std::chrono_literals;
using bench::follower;

class agent_bench {
 public:
  // `without_quiet`: nothing is measured that takes quiet.
  agent_bench(const support::netns& host, const std::filesystem::path& programs, const std::filesystem::path& directory,
              bool without_quiet)
      : without_quiet_(without_quiet), arena_(host, programs, directory) {}

  void run(int idle_seconds) {
    arena_.docker.start();
    listen_for(arena_.loop, idle_);
    bench::print_memory_at_start(arena_, idle_.host_switch_url());
    if (idle_seconds > 0) {
      with_docker(idle_seconds);
      with_containerd(idle_seconds);
      with_kubernetes();
    }
    bench::time_many_ports(arena_);
  }

 private:
  void with_docker(int idle_seconds) {
    support::fake_docker bare_engine(arena_.loop.executor(), arena_.file("bare-docker.sock"));
    bare_engine.start();
    use(docker_, arena_.docker);
    use(docker_bare_, bare_engine);
    listen_for(arena_.loop, docker_);
    listen_for(arena_.loop, docker_bare_);
    arena_.start_with_docker(docker_.host_switch_url());
    auto bare = bench::start_bare_client(bench::bare_engine::docker, arena_.file("bare-docker.sock"),
                                         docker_bare_.host_switch, arena_.file("bare.log"));
    arena_.wait_for([&] { return bare_engine.subscribers > 0; });
    time_both(docker_, docker_bare_);
    print_event_times("with Docker (goals: p50 1.5 x, p99 2 x)", "bare client", docker_, docker_bare_);
    fmt::print("\n");
    bare.kill9();
    if (!without_quiet_) bench::print_idle_use(arena_, idle_seconds);
    arena_.agent.stop();
    steps("-docker", docker_);
  }

  // From its event over two questions to the expose request.
  void with_containerd(int idle_seconds) {
    support::fake_containerd bare_engine(arena_.file("bare-containerd.sock"));
    bare_engine.start();
    use(containerd_, arena_.containerd);
    use(containerd_bare_, bare_engine);
    listen_for(arena_.loop, containerd_);
    listen_for(arena_.loop, containerd_bare_);
    arena_.containerd.start();
    arena_.start_with_containerd(containerd_.host_switch_url());
    auto bare = bench::start_bare_client(bench::bare_engine::containerd, arena_.file("bare-containerd.sock"),
                                         containerd_bare_.host_switch, arena_.file("bare.log"));
    arena_.wait_for([&] { return bare_engine.subscribers() > 0; });
    time_both(containerd_, containerd_bare_);
    print_event_times("with containerd (goals: p50 1.5 x, p99 2 x)", "bare client", containerd_, containerd_bare_);
    fmt::print("\n");
    bare.kill9();
    if (!without_quiet_) bench::print_idle_use_with_containerd(arena_, idle_seconds);
    arena_.agent.stop();
    steps("-containerd", containerd_);
    arena_.containerd.stop();
  }

  void with_kubernetes() {
    listen_for(arena_.loop, services_);
    support::fake_kubernetes api;
    api.start();
    std::ofstream(arena_.kubeconfig()) << api.kubeconfig();
    services_.run = [&](const std::string& id, std::uint16_t port) { api.put({.name = id, .ports = {{80, port}}}); };
    services_.end = [&](const std::string& id) { api.remove(id); };
    arena_.launch_agent({.engine = "-kubernetes=true", .host_switch = services_.host_switch_url()});
    arena_.wait_for([&] { return api.watching() > 0; });
    time_events(arena_, bench::brisk, {&services_});
    arena_.agent.stop();
    print_event_times("with Kubernetes", "with Docker", services_, docker_);
    bench::time_many_services(arena_, api, services_);
  }

  void time_both(follower& agent, follower& bare) {
    time_events(arena_, bench::brisk, {&agent, &bare});
    if (!without_quiet_) time_events(arena_, bench::quiet, {&agent, &bare});
  }

  // What the agent itself says about each step; it writes a line behind each event.
  void steps(const std::string& engine, follower& agent) {
    std::filesystem::remove(arena_.agent_log());
    const auto subscribed = [this] { return arena_.docker.subscribers + arena_.containerd.subscribers(); };
    const auto before = subscribed();
    arena_.launch_agent({.engine = engine, .host_switch = agent.host_switch_url(), .trace_events = true});
    arena_.wait_for([&] { return subscribed() > before; });
    arena_.loop.run_until([] { return false; }, 1500ms);  // the lists
    time_events(arena_, bench::traced, {&agent});
    arena_.agent.stop();
    bench::print_steps("where the time goes, " + engine, bench::read_step_times(arena_.agent_log(), "host-switch"));
  }

  bool without_quiet_;
  follower docker_{}, docker_bare_{}, containerd_{}, containerd_bare_{}, services_{}, idle_{};
  bench::agent_arena arena_;  // last: its tasks use the followers
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
  agent_bench(host, options.programs, directory.path(), options.brisk).run(static_cast<int>(options.idle_seconds));
  return 0;
} catch (const std::exception& e) {
  std::cerr << "agent_bench: " << e.what() << "\n";
  return 1;
}
