// arena: where a soak takes place: the product's whole chain, each program a process that can die, hang and return, and
// the engines beside it. The agent's state is on a small disk of its own, which can fill.
//
//   host  10.99.7.1, host-switch ═ UNIX sockets, handshake ═ vm-switch ─ eth0 192.168.127.2  rd: agent, dockerd,
//   wsl   192.168.143.2, network-setup, wsl-proxy ── veth ── 192.168.143.1                   containerd, API
//
// Everything goes with the object, or with the process if that is killed: the mount of the disk is in a mount namespace
// of the process's own.
#pragma once

#include <sys/types.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "net/address.hpp"
#include "tests/soak/operation.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/containerd_engine.hpp"
#include "tests/support/docker_engine.hpp"
#include "tests/support/fake_kubernetes.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"

namespace soak {

// A directory's own file system in memory, of a megabyte.
class small_disk {
 public:
  explicit small_disk(std::filesystem::path at);  // throws std::runtime_error if the kernel refuses
  ~small_disk();
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  void fill() const;
  void free() const;
  [[nodiscard]] const std::filesystem::path& path() const { return at_; }

 private:
  std::filesystem::path at_;
};

class arena {
 public:
  static constexpr std::uint16_t api_port = 6443;                      // of Kubernetes, in the other distributions
  static constexpr net::address lan = net::address::v4(10, 99, 7, 1);  // of the host
  static constexpr net::address wsl_side = net::address::v4(192, 168, 143, 2);  // of the other distributions
  inline static const support::host_forward static_forward{"tcp", "127.0.0.1:2222", "192.168.127.2:22"};

  // Why it is not possible here; empty if it is.
  [[nodiscard]] static std::string missing();

  explicit arena(bool debug);
  ~arena();
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  void start_all();  // returns when all parts answer; throws std::runtime_error after half a minute

  void start(part which);
  void kill9(part which);
  void signal(part which, int number);
  std::optional<int> stop(part which);        // of ours, by SIGTERM: the exit code; nothing: it took SIGKILL
  [[nodiscard]] pid_t pid(part which) const;  // -1: it does not run, or is no process of its own
  // The exit code of a part of ours that has ended by itself; nothing: it runs, or was killed.
  [[nodiscard]] std::optional<int> ended(part which);

  [[nodiscard]] bool can_impair() const;  // whether the kernel has netem
  void impair_link(bool impaired) const;
  void write_rules(const std::string& yaml) const;
  // Another program's server on the host and in wsl, at a port of every address that is free there.
  void occupy(std::uint16_t port);
  void release() { foreign_servers_.clear(); }

  [[nodiscard]] const support::netns& host() const { return host_; }
  [[nodiscard]] const support::netns& wsl() const { return wsl_; }
  [[nodiscard]] const support::netns& rd() const { return rd_; }
  [[nodiscard]] support::docker_engine& docker() { return docker_; }
  [[nodiscard]] support::containerd_engine& containerd() { return containerd_; }
  [[nodiscard]] support::fake_kubernetes& kubernetes() { return *kubernetes_; }
  [[nodiscard]] const small_disk& disk() const { return disk_; }

  [[nodiscard]] support::child_process serve(const std::string& name, std::vector<std::string> ports) const;
  [[nodiscard]] support::command_output control(std::vector<std::string> arguments) const;
  [[nodiscard]] std::filesystem::path log_of(part which) const;
  [[nodiscard]] std::string at(const std::string& name) const { return (directory_.path() / name).string(); }

 private:
  [[nodiscard]] support::child_process launch(const support::netns& where, part which, std::vector<std::string> flags,
                                              std::vector<std::string> environment = {}) const;
  void start_agent();
  void start_network_setup();
  void write_vm_programs() const;
  [[nodiscard]] bool has_network() const;
  [[nodiscard]] std::vector<std::string> servers_of_services() const;

  bool debug_;
  support::lab_directory directory_;
  small_disk disk_;
  support::netns host_, wsl_, rd_;
  support::docker_engine docker_;
  support::containerd_engine containerd_;
  std::unique_ptr<support::fake_kubernetes> kubernetes_;
  support::child_process namespace_holder_, services_;
  std::vector<base::unique_fd> foreign_servers_;
  std::array<support::child_process, parts> processes_;
  std::array<bool, parts> is_up_{};
};

}  // namespace soak
