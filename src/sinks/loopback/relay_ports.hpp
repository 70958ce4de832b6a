// relay_ports: the relays for ports that no rule can serve alone. A relay listens on a port that the kernel chooses, so
// it never takes one that a program of the VM needs; a rule leads packets there. It is bound to the peers' devices, and
// drops packets from outside the peers' networks. Owner of the relays.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "relay/listener_set.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

struct relayed_port {
  ports::port_key key;
  net::endpoint target;
  bool in_place = false;  // listens on the port itself, without a rule
};

class relay_ports {
 public:
  using troubles = std::map<ports::port_key, ports::outcome>;

  explicit relay_ports(relay::relay_options options) : listeners_(options) {}

  // Listens for these ports at each peer's address except the target's own. Returns the reason for each port that
  // cannot be opened; it then has no listener at all. Other relays stay until close_others(), also one of the same port
  // that listens elsewhere: while a port goes from one to the other, both listen.
  troubles open(const std::vector<relayed_port>& wanted, const std::vector<peer_interface>& peers);
  // The ports of the relays that were not in the last open().
  [[nodiscard]] std::vector<ports::port_key> others() const;
  // Closes these relays; their TCP connections continue, their UDP flows end.
  void close_others();
  void close_all();

  [[nodiscard]] relay_numbers numbers() const;

 private:
  struct one {
    relayed_port port;
    std::uint16_t number = 0;
    std::vector<peer_interface> at;
    bool wanted = true;
  };
  base::result<> choose_number(one& relay, const peer_interface& peer);
  base::result<> listen_toward(one& relay, const std::vector<peer_interface>& peers);
  base::result<> open_one(one& relay, const std::vector<peer_interface>& peers);
  base::result<> listen(one& relay, const peer_interface& peer);
  void close(one& relay);

  using relay_id = std::pair<ports::port_key, bool>;  // whether it listens in place

  relay::listener_set listeners_;
  std::map<relay_id, one> relays_;
};

}  // namespace loopback
