// claim_table: which virtual machine wants which port of the host, and which of them has it. Pure.
//
// A claim is a listener, the address at which its VM is reached, and the sender: the vtunnel host process that brought
// the message, which serves one VM. Addresses are what a message says; the sender is what the kernel says, so it
// decides who may change what:
//
//   remove     takes back the sender's own claims of that address, and those whose sender has ended
//   add        of the sender's own claims of one listener the last that came has the port: a VM that was started anew,
//              with another address, gets its ports back from what is left of the old one. Claims of another sender
//              that still runs go first, whatever comes after them; when they go, the next has the port.
//   restarts   a claim whose sender has ended is taken over by whoever names the same listener and address
//
// Of more than a few claims of one sender on one port the oldest is dropped; a sender has at most as many claims as are
// left for others.
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
  bool loopback_targets = false;  // VMs may say that they are reached at 127.0.0.0/8 or ::1
  std::size_t claims = 2 * 65'536;
  std::function<bool(const port_proxy::caller&)> is_alive = port_proxy::is_alive;
  // Why an address is no VM's: this machine's own, not on a network of VMs. Empty: it may be one.
  std::function<std::string(const net::address&)> refuse_target = [](const net::address&) { return std::string(); };
};

// What is to be done after a message.
struct change {
  net::listen_key key;
  std::optional<net::endpoint> target;  // relay to there from now on; nothing: listen no longer

  bool operator==(const change&) const = default;
};

struct outcome {
  std::vector<change> changes;
  std::vector<std::string> notes;  // ready for the log: what was refused, or taken from whom; the first few only
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
  using claimants = std::vector<claim>;  // the first has it; never empty
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
