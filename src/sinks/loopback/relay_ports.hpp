// relay_ports: the userspace listeners for the ports that no rule can serve alone. A relay listens on a port that the
// kernel chooses, so it never takes one that a program of the VM wants, and a rule brings the packets there. It is
// bound to the peers' devices, and drops what does not come from the peers' networks. Owner of the relays that carry
// them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "relay/listener_set.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

struct relayed_port {
  ports::port_key key;
  net::endpoint target;
  bool in_place = false;  // listen on the port itself: there is no rule
};

class relay_ports {
 public:
  using troubles = std::map<ports::port_key, ports::outcome>;

  explicit relay_ports(relay::relay_options options) : listeners_(options) {}

  // Listens for these ports at each peer's address, but for one that is the target's own. Answers, for each port that
  // cannot be listened for, why: it is then listened for nowhere. Other ports go on until close_others().
  troubles open(const std::vector<relayed_port>& wanted, const std::vector<peer_interface>& peers);
  // Closes what the last open() did not ask for; its connections live on.
  void close_others();
  void close_all();

  [[nodiscard]] relay_numbers numbers() const;
  [[nodiscard]] std::size_t size() const { return relays_.size(); }

 private:
  struct one {
    relayed_port port;
    std::uint16_t number = 0;
    std::vector<peer_interface> at;
    bool wanted = true;
  };
  base::result<> choose_number(one& relay, const peer_interface& peer);
  base::result<> open_one(one& relay, const std::vector<peer_interface>& peers);
  base::result<> listen(one& relay, const peer_interface& peer);
  void close(one& relay);

  relay::listener_set listeners_;
  std::map<ports::port_key, one> relays_;
};

}  // namespace loopback
