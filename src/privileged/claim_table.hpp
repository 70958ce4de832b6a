// claim_table: which virtual machine wants which port of the host, and which of them has it. Pure.
//
// A claim is a listener and the address at which its VM is reached, which is all that a message says of a VM: a removal
// takes back the claim of the same VM and no other's. Of several VMs that claim one port the last that came has it;
// claiming it again changes nothing. So a VM that was started anew, with another address, gets its ports back from
// what is left of the old one, and two that live do not take it from each other every minute. When it goes, the one
// before has it again. Of more than a few claims the oldest is dropped.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/endpoint.hpp"
#include "portmapping/message.hpp"
#include "portproxy/listener_table.hpp"

namespace privileged {

struct claim_options {
  bool loopback_targets = false;  // VMs may say that they are reached at 127.0.0.0/8 or ::1
  std::size_t claims = 4 * 65'536;
};

// What is to be done after a message.
struct change {
  portproxy::listener_key key;
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

  outcome apply(const portmapping::message& m);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  using claimants = std::vector<net::address>;  // the last has it; never empty
  void add(const portproxy::listener_key& key, const net::address& vm, outcome& into);
  void remove(const portproxy::listener_key& key, const std::optional<net::address>& vm, outcome& into);

  claim_options options_;
  std::map<portproxy::listener_key, claimants> claims_;
  std::size_t size_ = 0;
};

}  // namespace privileged
