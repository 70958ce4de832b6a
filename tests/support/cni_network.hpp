// cni_network: a network of the real CNI plugins bridge and portmap, as nerdctl sets one up: each container gets an
// address on the bridge, and DNAT rules for the ports that it publishes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"

namespace support {

struct published_port {
  unsigned host_port = 0, container_port = 0;
  std::string protocol = "tcp";
  std::string host_ip{};  // empty: every address
};

// As CNI's portmap plugin takes them, and in nerdctl's spelling, as its labels have them.
[[nodiscard]] std::string to_cni_json(const std::vector<published_port>& ports);
[[nodiscard]] std::string to_nerdctl_json(const std::vector<published_port>& ports);

// By what the portmap plugin publishes. Debian's knows iptables only: what a later one writes by nftables is written
// here as it does, and one container at a time has its ports so. Plugins that CNI_PLUGINS names write it themselves.
enum class portmap_backend : std::uint8_t { iptables, nftables };

class cni_network {
 public:
  // `place`: the namespaces and the PATH with which the plugins run. `number`, up to 250, tells networks apart.
  // `dual_stack`: with IPv6 beside IPv4.
  cni_network(child_options place, std::filesystem::path directory, unsigned number, bool dual_stack = false);

  [[nodiscard]] std::string name() const { return number_ == 0 ? "bridge" : "bridge-" + std::to_string(number_); }

  // `container`: "<namespace>-<id>", as nerdctl calls it here. `netns`: the path of the container's network namespace.
  // Throws std::runtime_error with the plugin's words.
  void attach(const std::string& container, const std::string& netns, const std::vector<published_port>& ports,
              portmap_backend backend) const;
  void detach(const std::string& container, const std::string& netns, const std::vector<published_port>& ports,
              portmap_backend backend) const;

 private:
  [[nodiscard]] std::string call(const char* command, const char* plugin, const std::string& container,
                                 const std::string& netns, const std::string& config) const;
  [[nodiscard]] std::string bridge_config() const;
  void nft(const std::string& script) const;
  [[nodiscard]] std::string portmap_config(const std::vector<published_port>& ports, const std::string& before,
                                           portmap_backend backend) const;

  child_options place_;
  std::filesystem::path directory_;
  unsigned number_;
  bool dual_stack_;
};

}  // namespace support
