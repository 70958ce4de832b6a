#include "tests/bench/agent/agent_arena.hpp"

#include <utility>
#include <vector>

#include "async/timeout.hpp"
#include "http/connection.hpp"

namespace bench {

using namespace std::chrono_literals;

agent_arena::agent_arena(const support::netns& host, std::filesystem::path programs, std::filesystem::path directory)
    : host_(host),
      programs_(std::move(programs)),
      directory_(std::move(directory)),
      docker(loop.executor(), file("docker.sock")),
      containerd(file("containerd.sock")) {}

void agent_arena::launch_agent(const agent_launch& how) {
  std::vector<std::string> argv = {program("rancher-desktop-guestagent"),
                                   "-adminInstall",
                                   "-docker=" + std::string(how.engine == "-containerd" ? "false" : "true"),
                                   how.engine,
                                   "-iptables=false",
                                   "-listeners=false",
                                   "-kubeconfig=" + kubeconfig().string(),
                                   "-host-switch-url=" + how.host_switch,
                                   "-docker-socket=" + file("docker.sock").string(),
                                   "-containerdSock=" + file("containerd.sock").string(),
                                   "-wsl-proxy-socket=" + file("wsl-proxy.sock").string(),
                                   "-status-socket=" + file("status.sock").string(),
                                   "-state-dir=" + file("state").string()};
  if (how.trace_events) argv.emplace_back("-trace-events");
  agent = support::child_process({.argv = std::move(argv), .log = agent_log()});
}

void agent_arena::start_with_docker(const std::string& url) {
  const auto lists = docker.lists, subscribers = docker.subscribers;
  launch_agent({.engine = "-docker", .host_switch = url});
  wait_for([&] { return docker.subscribers > subscribers && docker.lists > lists; });
}

void agent_arena::start_with_containerd(const std::string& url) {
  const auto before = containerd.lists();
  launch_agent({.engine = "-containerd", .host_switch = url});
  wait_for([&] { return containerd.subscribers() > 0 && containerd.lists() > before + 1; });
}

http::server_address agent_arena::start_host_switch() {
  host_switch = support::child_process({.argv = {program("host-switch"), "-network=kernel"},
                                        .log = file("host-switch.log"),
                                        .net_namespace = host_.path()});
  const http::server_address api{.host = "192.168.127.1"};
  if (!loop.run_until([&] { return loop.run(http::connection::open(api, 1s)).has_value(); }))
    throw std::runtime_error("host-switch");
  return api;
}

void agent_arena::rest(std::chrono::milliseconds how_long) {
  auto wait = [](std::chrono::milliseconds time) -> async::task<bool> {
    co_await async::sleep_for(time);
    co_return true;
  };
  loop.run(wait(how_long));
}

}  // namespace bench
