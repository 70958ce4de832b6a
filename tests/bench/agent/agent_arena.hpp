// agent_arena: where the agent is measured. It runs in this program's network namespace, the VM's, beside the fake
// engines that it may follow. host-switch is a fake in this namespace (event_times.hpp) or the real one, in the host's.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "http/server_address.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/netns.hpp"

namespace bench {

constexpr std::uint16_t first_port = 20'000;  // of those that are published

struct agent_launch {
  std::string engine;       // the flag that names it
  std::string host_switch;  // its URL
  bool trace_events = false;
};

class agent_arena {
 public:
  // `programs`: the directory of our programs. `directory`: for sockets and logs; its owner removes it.
  agent_arena(const support::netns& host, std::filesystem::path programs, std::filesystem::path directory);

  void launch_agent(const agent_launch& how);
  // Launches it with host-switch at `url`, and waits until it has the list and the events of its engine.
  void start_with_docker(const std::string& url);
  void start_with_containerd(const std::string& url);
  // Serves the VM alone, so it runs in the host's namespace. Returns where its API answers.
  http::server_address start_host_switch();

  [[nodiscard]] std::filesystem::path file(const std::string& name) const { return directory_ / name; }
  [[nodiscard]] std::filesystem::path agent_log() const { return file("agent.log"); }
  [[nodiscard]] std::filesystem::path kubeconfig() const { return file("k3s.yaml"); }
  [[nodiscard]] std::filesystem::path program(const std::string& name) const { return programs_ / name; }

  // Throws if it does not hold within ten seconds.
  template <class Predicate>
  void wait_for(Predicate holds) {
    if (!loop.run_until(holds)) throw std::runtime_error("a program does not connect");
  }
  // The loop and its fakes go on.
  void rest(std::chrono::milliseconds how_long);

 private:
  const support::netns& host_;
  std::filesystem::path programs_, directory_;

 public:
  support::event_loop loop;
  support::fake_docker docker;
  support::fake_containerd containerd;
  support::child_process agent, host_switch;
};

}  // namespace bench
