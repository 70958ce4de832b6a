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

// In the format of CNI's portmap plugin, and of nerdctl's labels.
[[nodiscard]] std::string to_cni_json(const std::vector<published_port>& ports);
[[nodiscard]] std::string to_nerdctl_json(const std::vector<published_port>& ports);

// The backend of the portmap plugin. Debian's supports iptables only. The rules of a later one with nftables are
// written here, for one container at a time. Plugins that CNI_PLUGINS names write them themselves.
enum class portmap_backend : std::uint8_t { iptables, nftables };

class cni_network {
 public:
  // `place`: the namespaces and the PATH with which the plugins run. `number`, up to 250, identifies the network.
  // `dual_stack`: with IPv6 beside IPv4.
  cni_network(child_options place, std::filesystem::path directory, unsigned number, bool dual_stack = false);

  [[nodiscard]] std::string name() const { return number_ == 0 ? "bridge" : "bridge-" + std::to_string(number_); }

  // `container`: "<namespace>-<id>", nerdctl's name for it. `netns`: the path of the container's network namespace.
  // Throws std::runtime_error with the plugin's output.
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
