// localnet_access: lets rules of the nat table send packets of some devices to 127.0.0.0/8. It takes route_localnet on
// these devices, and localnet_guard against packets that a peer itself addresses to 127.0.0.0/8. The guard is up before
// the setting, and removed after it. A failure leaves no device with the setting and without the guard.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/episode.hpp"
#include "kernel/netfilter/localnet_guard.hpp"
#include "kernel/netfilter/route_localnet.hpp"

namespace netfilter {

class localnet_access {
 public:
  // `setting` keeps the former values. `component` begins the log lines.
  localnet_access(route_localnet setting, std::string tag, const std::vector<nat_programs>& programs,
                  std::string component);

  // On for these devices and for no other. A failure is logged when it begins and when it ends.
  async::task<base::result<>> enable(std::set<std::string> devices);
  async::task<> disable();
  // True until it is known to be off: a crashed run may have left it on.
  [[nodiscard]] bool may_be_on() const { return on_; }

  // Whether the guard is in place, and a way to restore it in nftables; see localnet_guard.
  [[nodiscard]] bool is_guarded() const { return guard_.holds(); }
  void heal() const { guard_.heal(); }

 private:
  async::task<base::result<>> switch_on(std::set<std::string> devices);

  route_localnet setting_;
  localnet_guard guard_;
  base::log::episode failure_;
  bool on_ = true;
};

}  // namespace netfilter
