// lab: the product's three places as network namespaces, with the real programs in them.
//
//   host  192.168.127.1/24 ──veth── eth0 192.168.127.2/24  rd  192.168.143.1/24 ──veth── 192.168.143.2/24  wsl
//   host-switch                                       agent, dockerd                               wsl-proxy
//
// In privileged-service mode the two vtunnel ends and the privileged service take host-switch's place, with UNIX
// sockets in the lab's directory for the virtual ones.
//
// A user on the host, or in another WSL distribution, opens localhost:P: that is a probe in `host()` or `wsl()`.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/containerd_engine.hpp"
#include "tests/support/docker_engine.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"

namespace support {

// The directory of the programs: this build's, or GUESTAGENT_PROGRAM_DIR.
[[nodiscard]] std::filesystem::path program_directory();
// Whether they are this build's, and not those that ship.
[[nodiscard]] bool programs_are_this_builds();
// The systemd unit that starts that program with these flags.
[[nodiscard]] std::string unit_of(const std::string& program, const std::vector<std::string>& flags);

// A directory under the system's temporary one. Removes the leftovers of killed runs first. Ends the test program if a
// log in it, a file with "log" in its name, says that a filter refused a system call.
class lab_directory {
 public:
  lab_directory();
  lab_directory(const lab_directory&) = delete;
  lab_directory& operator=(const lab_directory&) = delete;
  ~lab_directory();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct host_forward {
  std::string protocol, local, remote;
  auto operator<=>(const host_forward&) const = default;
};

// Where the vtunnel peer listens in the VM.
inline const net::endpoint vtunnel_peer_at{net::address::loopback_v4(), 3040};

class lab {
 public:
  // Why a lab is not possible here (not root, no dockerd, a program not built …); empty if it is.
  [[nodiscard]] static std::string missing();

  explicit lab(docker_options options = {});

  [[nodiscard]] const netns& host() const { return host_; }
  [[nodiscard]] const netns& wsl() const { return wsl_; }
  [[nodiscard]] const netns& rd() const { return rd_; }
  docker_engine& docker() { return engine_; }
  containerd_engine& containerd();  // made at the first call; the agent then starts for it, without Docker

  // Each starts one program with the product's flags and the rights of its systemd unit, and does not wait for it.
  // Starting it again ends the old one first.
  void start_agent(const std::vector<std::string>& more_flags = {}, const std::vector<std::string>& variables = {});
  void start_host_switch(const std::vector<std::string>& more_flags = {});
  void start_wsl_proxy();
  void start_vtunnel_peer();
  void start_vtunnel_host();
  void start_privileged_service();
  child_process& agent() { return agent_; }
  child_process& host_switch() { return host_switch_; }
  child_process& wsl_proxy() { return wsl_proxy_; }
  child_process& vtunnel_peer() { return vtunnel_peer_; }
  child_process& vtunnel_host() { return vtunnel_host_; }
  child_process& privileged_service() { return privileged_service_; }

  // The forwards that host-switch lists; nullopt without an answer.
  [[nodiscard]] std::optional<std::set<host_forward>> host_forwards() const;
  // A call of the forwarder API from the agent's side, by another client: the status, 0 without an
  // answer.
  int call_host_switch(const std::string& path, const std::string& json_body) const;
  // The programs' listeners in the two namespaces; host-switch's own API is left out.
  [[nodiscard]] std::set<listening_socket> host_listeners() const;
  [[nodiscard]] std::set<listening_socket> wsl_listeners() const;

  // The test's echo-server in the VM's namespace, as a listener that no engine publishes.
  [[nodiscard]] child_process start_echo_server(const std::string& name, std::vector<std::string> ports) const;
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }

  // `guestagentctl <arguments>`
  [[nodiscard]] command_output control(std::vector<std::string> arguments) const;
  // The programs' logs, for a test that failed.
  [[nodiscard]] std::string logs() const;

 private:
  [[nodiscard]] child_process start(const netns& where, const char* program, std::vector<std::string> flags,
                                    std::vector<std::string> variables = {}) const;
  [[nodiscard]] std::string at(const char* name) const { return (directory_.path() / name).string(); }
  [[nodiscard]] std::string write_tunnel_config() const;

  lab_directory directory_;
  netns host_, wsl_, rd_;
  iptables_variant iptables_;
  docker_engine engine_;
  std::optional<containerd_engine> containerd_;
  child_process agent_, host_switch_, wsl_proxy_, vtunnel_peer_, vtunnel_host_, privileged_service_;
};

}  // namespace support
