// relay_ports: the userspace listeners for the ports that no rule can serve. Owner of the relay that carries them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "relay/listener_set.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

class relay_ports {
 public:
  using troubles = std::map<ports::port_key, std::string>;

  explicit relay_ports(relay::relay_options options) : listeners_(options) {}

  // Listens for exactly these ports from now on; connections of the others live on. Answers, for each port that cannot
  // be listened for, why: it is then listened for nowhere. An address that has gone is passed over as long as another
  // one is left.
  troubles set(const std::vector<relayed_port>& wanted);
  // Listens for this port no longer.
  void close(const ports::port_key& key);

  [[nodiscard]] std::size_t size() const { return listening_.size(); }

 private:
  using listener_key = std::pair<net::protocol, net::endpoint>;
  [[nodiscard]] base::result<> open(const relayed_port& port);
  template <class Stays>
  void close_unless(const Stays& stays);

  relay::listener_set listeners_;
  std::map<listener_key, net::endpoint> listening_;  // → where it leads
};

}  // namespace loopback
