// forward_guard: keeps forwarded packets away from one TCP endpoint. Containers' packets are masqueraded as the
// machine's own, so that the endpoint's server cannot tell them apart; here, at the hook `forward`, they still can be.
// A table of this program's own in nftables does it, which the engines' firewalls neither flush nor pass by. The
// machine's own connections do not come by this hook.
#pragma once

#include "base/result.hpp"
#include "netfilter/guard_codec.hpp"

namespace netfilter {

class forward_guard {
 public:
  explicit forward_guard(guard_rule rule) : rule_(std::move(rule)) {}

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
