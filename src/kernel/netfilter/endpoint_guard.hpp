// endpoint_guard: keeps one kind of sender away from a TCP endpoint, where the endpoint's server can no longer tell
// them apart, or away from the loopback addresses. A table of this program's own in nftables does it, which the
// engines' firewalls neither flush nor pass by.
//
//   forwarded    containers' packets are masqueraded as the machine's own; at the hook `forward` they are not yet
//   other users  at the hook `output` the kernel still knows the user of the sending socket, also of a client that
//                closes before its connection is accepted
//   loopback     packets that come in by a device for 127.0.0.0/8, where route_localnet lets them in
#pragma once

#include "base/result.hpp"
#include "kernel/netfilter/guard_codec.hpp"

namespace netfilter {

class endpoint_guard {
 public:
  explicit endpoint_guard(guard_rule rule) : rule_(std::move(rule)) {}

  // Puts the rule up where it is not; costs a look at one chain where it is. Fails as nft_reader does, see
  // is_without_nftables(). In the calling thread's network namespace; blocks for half a second at most.
  base::result<> ensure() const;
  [[nodiscard]] base::result<bool> is_up() const;
  // Takes the table out; nothing to do where there is none.
  base::result<> remove() const;

 private:
  guard_rule rule_;
};

}  // namespace netfilter
