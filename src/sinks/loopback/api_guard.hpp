// api_guard: keeps containers and other forwarded senders away from host-switch's API, which takes every packet of the
// VM for the agent's. It follows the API's address and restores the guard if another program removes it.
//
// The API is at the address to which its name resolves. Until the name is known it is the first address of the tap's
// network. An API on a loopback address needs no guard: forwarded packets do not reach it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/turns.hpp"
#include "base/episode.hpp"
#include "kernel/netfilter/forward_guard.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {

struct guarded_server {
  std::string host;  // a name or an address
  std::uint16_t port = 80;
};

class api_guard {
 public:
  // Without `api` it guards nothing. The tag of `rules` names the guard's table, and begins the comment.
  api_guard(const async::executor& where, std::optional<guarded_server> api, const rule_options& rules,
            const std::vector<netfilter::nat_programs>& programs);

  // Adds the guard if it is missing. A failure is logged when it begins and when it ends.
  async::task<> ensure();
  // Never returns by itself: resolves the name, and restores the guard when the kernel announces a change.
  async::task<> keep();
  // Waits for an ensure() in progress; later ones do nothing.
  async::task<> remove();

 private:
  async::task<bool> resolve();
  [[nodiscard]] net::endpoint guess(std::uint16_t port) const;

  std::optional<guarded_server> api_;
  rule_options rules_;
  netfilter::forward_guard guard_;
  std::optional<net::endpoint> found_;  // the address of the name
  async::clock::time_point resolve_again_{};
  std::optional<netlink::change_watch> watch_;
  base::log::episode failure_;
  async::turns turns_;
  bool removed_ = false;
};

}  // namespace loopback
