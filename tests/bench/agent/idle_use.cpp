#include "tests/bench/agent/idle_use.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "tests/bench/agent/comparison.hpp"
#include "tests/bench/figures.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using figures::use_of;

void let_pass(agent_arena& arena, std::chrono::seconds time) {
  arena.loop.run_until([] { return false; }, time);
}

void print_wakeups(std::string_view what, long wakeups, double minutes) {
  fmt::print("{:46} {:>12.1f}\n", what, static_cast<double>(wakeups) / minutes);
}

}  // namespace

void print_memory_at_start(agent_arena& arena, const std::string& host_switch) {
  arena.start_with_docker(host_switch);
  let_pass(arena, 2s);
  print_memory("resident memory, Docker (goal: < 6 MB)", arena.agent.pid());
  arena.agent.stop();
  arena.containerd.start();
  arena.start_with_containerd(host_switch);
  let_pass(arena, 2s);
  print_memory("resident memory, containerd (goal: < 8 MB)", arena.agent.pid());
  arena.agent.stop();
  arena.containerd.stop();
  fmt::print("\n");
}

void print_idle_use(agent_arena& arena, int seconds) {
  let_pass(arena, 3s);
  support::child_process poller(
      {.argv = {"sh", "-c", "while :; do iptables -t nat -S >/dev/null 2>&1; sleep 3; done"}});
  const auto before = use_of(arena.agent.pid()), poller_before = use_of(poller.pid(), true);
  let_pass(arena, std::chrono::seconds(seconds));
  const auto after = use_of(arena.agent.pid()), poller_after = use_of(poller.pid(), true);
  const double minutes = seconds / 60.0;
  fmt::print("\n");
  print_heading(fmt::format("idle, for {} s", seconds), "poll each 3s");
  print_row("CPU a minute", (after.cpu_ms - before.cpu_ms) / minutes,
            (poller_after.cpu_ms - poller_before.cpu_ms) / minutes, "ms");
  print_wakeups("wake-ups a minute (host-switch closes each 10 s)", after.switches - before.switches, minutes);
  print_memory("resident memory after all these events", arena.agent.pid());
  print_figure("size of the program",
               static_cast<double>(std::filesystem::file_size(arena.program("rancher-desktop-guestagent"))) / 1e6,
               "MB");
  fmt::print("\n");
}

void print_idle_use_with_containerd(agent_arena& arena, int seconds) {
  let_pass(arena, 3s);
  print_memory("resident memory after all these events", arena.agent.pid());
  arena.agent.stop();
  arena.start_with_containerd(http::to_string(arena.start_host_switch()));
  let_pass(arena, 5s);  // it gives back what its start needed
  const auto before = use_of(arena.agent.pid());
  let_pass(arena, std::chrono::seconds(seconds));
  const auto after = use_of(arena.agent.pid());
  arena.host_switch.stop();
  const double minutes = seconds / 60.0;
  print_figure("CPU a minute, idle", (after.cpu_ms - before.cpu_ms) / minutes, "ms");
  print_wakeups("wake-ups a minute, beside our host-switch", after.switches - before.switches, minutes);
  fmt::print("\n");
}

}  // namespace bench
