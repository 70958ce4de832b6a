// iptables_source: publishes the ports that CNI's plugin portmap forwards by DNAT rules, whoever asked it to: nerdctl,
// containerd's CRI, or a user's own CNI runtime.
//
// Woken by the kernel where the rules lie in nftables, and as netfilter::legacy_watch can where they lie in legacy
// tables; a rare look backs both up. While it cannot read, it is degraded and its last ports stay.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "async/condition.hpp"
#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "ports/source.hpp"
#include "sources/cni_portmap/rule_reader.hpp"
#include "sources/engine/stopped_containers.hpp"

namespace cni_portmap {

struct iptables_options {
  net::address pods = net::address::any_v4();  // where ports of Kubernetes' pods are bound that name no address
  std::shared_ptr<engine::stopped_containers> stopped{};  // whose rules publish nothing; may be nullptr
  netfilter::legacy_watch_options legacy{};
  std::chrono::milliseconds resync{30'000};  // between looks when nothing announced a change
  std::chrono::milliseconds poll{2'000};     // the same where the kernel announces no changes of nftables
};

class iptables_source final : public ports::source {
 public:
  // Watches the network namespace of the calling thread, which must be the one that run() is run in.
  explicit iptables_source(const async::executor& where, iptables_options options = {});

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::iptables; }
  async::task<> run(ports::source_feed& feed) override;

 private:
  async::task<> follow(ports::source_feed& feed);
  template <class Watch>
  async::task<> follow_watch(Watch& watch);
  async::task<> follow_stopped_containers();
  void publish(ports::source_feed& feed, base::result<ports::snapshot> now);

  iptables_options options_;
  std::optional<netlink::change_watch> rules_;
  netfilter::legacy_watch legacy_;
  rule_reader reader_;
  async::condition changed_;
  bool woken_ = false;
  std::optional<ports::snapshot> last_;  // what was published
  unsigned failures_ = 0;                // since then
  std::uint64_t epoch_ = 0;
};

}  // namespace cni_portmap
