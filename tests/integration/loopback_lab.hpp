// loopback_lab: the environment of the loopback rules' tests: a VM's namespace with a tap and a veth, containers behind
// a bridge, and an engine that writes the rules of dockerd 20.10. The test's own thread is inside the VM's namespace.
//
//   host 192.168.127.1 ── tap0 192.168.127.2  rd  192.168.143.1 veth0 ── 192.168.143.2 wsl
//                                docker0 172.17.0.1 ── 172.17.0.2 one, 172.17.0.3 two
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"

namespace support {

// dockerd's nat rules, written by hand.
class nat_engine {
 public:
  nat_engine(const netns& where, netfilter::nat_variant variant);

  void start();  // the chain and the jumps to it
  void publish(const std::string& address, int port, const std::string& target, const std::string& protocol = "tcp");
  void unpublish(const std::string& address, int port, const std::string& target, const std::string& protocol = "tcp");
  // `iptables -t nat <arguments>`, and many lines of iptables-restore at once.
  void iptables(std::vector<std::string> arguments) const;
  void restore(const std::string& lines) const;
  // The rules of a chain, or of all: "-A DOCKER …".
  [[nodiscard]] std::vector<std::string> rules(const std::string& chain = "") const;

 private:
  [[nodiscard]] std::string program(const std::string& suffix = "") const;
  const netns& where_;
  netfilter::nat_variant variant_;
};

class loopback_lab {
 public:
  explicit loopback_lab(netfilter::nat_variant variant, bool with_tap = true);

  void connect_tap();
  void connect_veth();
  // A server in a container's place, or on loopback in the VM itself; `ports` in the format of echo-server.
  void serve(const netns& where, const std::string& name, const std::vector<std::string>& ports);

  netns rd{"rd"}, host{"host"}, wsl{"wsl"}, one{"one"}, two{"two"};
  nat_engine engine;

 private:
  std::vector<child_process> servers_;
  inside here_{rd};
};

}  // namespace support
