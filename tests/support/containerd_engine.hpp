// containerd_engine: a real containerd inside a network namespace and a sandbox, and containers in it as nerdctl makes
// them: nerdctl's labels, CNI's networks and rules, tasks. What runs in them is the test's echo-server.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/cni_network.hpp"
#include "tests/support/docker_engine.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/sandbox.hpp"

namespace support {

// Where nerdctl records the ports: 1.x on a label, 2.x in a file.
enum class port_note { label, state_directory };

struct container_spec {
  std::string name;
  std::vector<published_port> ports{};
  std::vector<std::string> serves{"tcp:80"};
  std::string name_space = "default";
  port_note note = port_note::label;
  portmap_backend backend = portmap_backend::iptables;
  unsigned networks = 1;
  bool dual_stack = false;                      // the networks have IPv6 addresses too
  std::map<std::string, std::string> labels{};  // additional ones, or replacements
};

class containerd_engine {
 public:
  // Not started yet. `directory` holds all of its files; the caller removes it after the engine. `iptables`: what the
  // plugins find in their PATH.
  containerd_engine(const netns& where, std::filesystem::path directory, iptables_variant iptables);
  ~containerd_engine();

  void start();   // returns when the API answers; throws after 30 s
  void launch();  // only starts the program
  void stop();    // SIGTERM: the containers live on
  void kill9();   // and here as well

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "containerd.sock"; }
  [[nodiscard]] std::string log() const { return read_text(directory_ / "containerd.log"); }

  // `ctr -n <name_space> <arguments>`: its output; throws with it if ctr fails.
  std::string ctr(const std::string& name_space, std::vector<std::string> arguments) const;

  // As `nerdctl run -d`: makes the network and the rules, then the container, then starts it.
  void run(const container_spec& spec);
  // Its single steps.
  void create(const container_spec& spec);
  void attach(const container_spec& spec);
  void start_task(const container_spec& spec) const;
  // Runs another process in the container to its end.
  void execute(const container_spec& spec, std::vector<std::string> command) const;
  // SIGKILL to the container's first process, waited for; container and network stay.
  void end_task(const container_spec& spec) const;
  // As `nerdctl rm -f`.
  void remove(const container_spec& spec);

 private:
  [[nodiscard]] child_options inside() const;  // the engine's namespaces
  [[nodiscard]] std::string runtime_config(const container_spec& spec) const;
  [[nodiscard]] std::vector<std::string> label_flags(const container_spec& spec) const;
  [[nodiscard]] std::filesystem::path state_directory(const container_spec& spec) const;
  [[nodiscard]] cni_network network(const container_spec& spec, unsigned number) const;

  const netns& where_;
  std::filesystem::path directory_;
  iptables_variant iptables_;
  std::string control_group_;
  sandbox box_;
  child_process daemon_;
};

}  // namespace support
