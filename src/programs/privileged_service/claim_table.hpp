// claim_table: which virtual machines want which port of the host, and which one has it. Pure.
//
// A claim is a listener, the address of its VM, and the sender: the vtunnel host process that carried the message,
// which serves one VM. A message can name any address; the sender is known from the kernel, so it decides who may
// change what:
//
//   remove     removes the sender's own claims of that address, and those whose sender has ended
//   add        among the sender's own claims of one listener, the latest has the port: a VM that restarted with another
//              address gets its ports back. Claims of another sender that still runs keep the port; when they are
//              removed, the next claim has it
//   restarts   a claim whose sender has ended passes to the next sender that names the same listener and address
//
// One sender keeps a limited number of claims on one port: the oldest is dropped. It has at most as many claims in all
// as are left for others.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/endpoint.hpp"
#include "programs/port_proxy/listener_table.hpp"
#include "programs/port_proxy/message_server.hpp"
#include "protocols/port_mapping/message.hpp"

namespace privileged_service {

struct claim_options {
  bool loopback_targets = false;  // VMs may be reached at 127.0.0.0/8 or ::1
  std::size_t claims = 2 * 65'536;
  std::function<bool(const port_proxy::caller&)> is_alive = port_proxy::is_alive;
  // Why an address cannot be a VM's: it is this machine's, or not on a network of VMs. Empty: it can.
  std::function<std::string(const net::address&)> refuse_target = [](const net::address&) { return std::string(); };
};

// What to do after a message.
struct change {
  net::listen_key key;
  std::optional<net::endpoint> target;  // relay to there; nothing: close the listener

  bool operator==(const change&) const = default;
};

struct outcome {
  std::vector<change> changes;
  std::vector<std::string> notes;  // for the log: refused and reassigned claims; the first few only
};

class claim_table {
 public:
  explicit claim_table(claim_options options = {}) : options_(options) {}

  outcome apply(const port_mapping::message& m, const port_proxy::caller& sender);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct claim {
    net::address vm;
    port_proxy::caller sender;
  };
  using claimants = std::vector<claim>;  // the first has the port; never empty
  void add(const net::listen_key& key, const claim& wanted, outcome& into);
  void remove(const net::listen_key& key, const std::optional<net::address>& vm, const port_proxy::caller& sender,
              outcome& into);
  [[nodiscard]] bool may_change(const claim& existing, const port_proxy::caller& sender) const;
  [[nodiscard]] bool make_room(claimants& all, const net::listen_key& key, const claim& wanted, outcome& into);
  void forget(claimants& all, claimants::iterator one);
  void settle(const net::listen_key& key, const std::optional<net::address>& before, outcome& into);

  claim_options options_;
  std::map<net::listen_key, claimants> claims_;
  std::map<port_proxy::caller, std::size_t> of_sender_;  // none is 0
  std::size_t size_ = 0;
};

}  // namespace privileged_service
