#include "tests/bench/agent/many_ports.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "http/connection.hpp"
#include "tests/bench/agent/bare_loop.hpp"
#include "tests/bench/agent/comparison.hpp"
#include "tests/bench/figures.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using async::clock;

constexpr int many_ports = 10'000;
constexpr int many_services = 20'000;

template <class Work>
double time_of(Work work) {
  const auto begin = clock::now();
  work();
  return figures::milliseconds(clock::now() - begin);
}

double bare_many(agent_arena& arena) {
  const auto api = arena.start_host_switch();
  const auto took = time_of([&] { post_ports(arena.loop, api, many_ports); });
  arena.host_switch.stop();
  return took;
}

std::filesystem::path journal(const agent_arena& arena) { return arena.file("state") / "host-switch.journal"; }

// Whether the agent has written the line of each port.
bool all_begun(const agent_arena& arena) {
  constexpr std::string_view shortest_line = "+ tcp 0.0.0.0 20000 0 docker\n";
  std::error_code absent;
  const auto size = std::filesystem::file_size(journal(arena), absent);
  return !absent && size >= many_ports * shortest_line.size();
}

int applied(agent_arena& arena) {
  auto agent = arena.loop.run(http::connection::open({.path = arena.file("status.sock")}, 1s));
  if (!agent) return 0;
  const auto metrics = arena.loop.run(agent->exchange({.target = "/metrics"}, {}));
  constexpr std::string_view wanted = "guestagent_peer_ports{peer=\"host-switch\",state=\"applied\"} ";
  const auto at = metrics ? metrics->body.find(wanted) : std::string::npos;
  return at == std::string::npos ? 0 : std::atoi(metrics->body.c_str() + at + wanted.size());
}

void expose_many(agent_arena& arena, const std::string& engine, std::string_view note, double bare) {
  std::filesystem::remove(journal(arena));
  const auto host_switch = http::to_string(arena.start_host_switch());
  const auto begin = clock::now();
  arena.launch_agent({.engine = engine, .host_switch = host_switch});
  // A question about the metrics takes the agent's time: none before the last request is about to be sent.
  while (!all_begun(arena) && clock::now() < begin + 60s) arena.rest(1ms);
  if (!arena.loop.run_until([&] { return applied(arena) == many_ports; }, 60s))
    throw std::runtime_error("not all exposed");
  print_row(fmt::format("{} ports exposed ({})", many_ports, note), figures::milliseconds(clock::now() - begin), bare,
            "ms");
  const auto peak_kib = figures::status_kib(arena.agent.pid(), "VmHWM:");
  arena.rest(4s);  // three seconds after a change, the agent gives back what it no longer uses
  print_memory("resident memory with them (goal: < 20 MB)", arena.agent.pid());
  fmt::print("{:46} {:>9.2f} MB\n", "the same at its peak", static_cast<double>(peak_kib) / 1024);
  arena.agent.stop();
  arena.host_switch.stop();
}

}  // namespace

void time_many_ports(agent_arena& arena) {
  const double bare = bare_many(arena);
  std::string ports = "[", mappings = "[";
  for (int i = 0; i < many_ports; ++i) {
    const char* comma = i == 0 ? "" : ",";
    ports += fmt::format(R"({}{{"IP":"0.0.0.0","PrivatePort":{},"PublicPort":{},"Type":"tcp"}})", comma, i + 1,
                         first_port + i);
    mappings += fmt::format(R"({}{{"HostPort":{},"ContainerPort":{},"Protocol":"tcp","HostIP":""}})", comma,
                            first_port + i, i + 1);
  }
  arena.docker.containers["many"] = {.name = "many", .list_json = ports + "]"};
  arena.containerd.start();
  arena.containerd.run("default", "many", {{"nerdctl/ports", mappings + "]"}});
  print_heading("", "bare loop");
  expose_many(arena, "-docker", "goal: < 500 ms", bare);
  expose_many(arena, "-containerd", "containerd", bare);
  arena.containerd.stop();
}

void time_many_services(agent_arena& arena, support::fake_kubernetes& api, follower& services) {
  for (int i = 0; i < many_services; ++i) api.put({.name = fmt::format("s{}", i), .ports = {{80, first_port + i}}});
  const auto bare = time_of([&] {
    list_services(arena.loop, http::parse_server_address(api.url()).value());
    post_ports(arena.loop, {.host = "127.0.0.1", .port = services.host_switch}, many_services);
  });
  services.exposed.clear();
  const auto ours = time_of([&] {
    arena.launch_agent({.engine = "-kubernetes=true", .host_switch = services.host_switch_url()});
    if (!arena.loop.run_until([&] { return services.exposed.size() == many_services; }, 60s))
      throw std::runtime_error("not all exposed");
  });
  fmt::print("\n");
  print_heading("", "bare loop");
  print_row(fmt::format("{} Services listed and exposed", many_services), ours, bare, "ms");
  print_figure("resident memory at its peak",
               static_cast<double>(figures::status_kib(arena.agent.pid(), "VmHWM:")) / 1024, "MB");
  fmt::print("\n");
  arena.agent.kill9();  // taking 20,000 ports back from the fake is not what is measured
}

}  // namespace bench
