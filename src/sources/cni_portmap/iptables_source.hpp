// iptables_source: publishes the ports that CNI's plugin portmap forwards by DNAT rules, for nerdctl, containerd's CRI
// or any other CNI runtime.
//
// The kernel announces changes of nftables; netfilter::legacy_watch finds those of legacy tables; a rare resync backs
// both up. While the rules cannot be read, the source is degraded and its last ports stay.
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
  net::address pods = net::address::any_v4();             // the host's address for pods' ports without an address
  std::shared_ptr<engine::stopped_containers> stopped{};  // their rules publish nothing; may be nullptr
  netfilter::legacy_watch_options legacy{};
  std::chrono::milliseconds resync{30'000};  // between readings without an announced change
  std::chrono::milliseconds poll{2'000};     // the same if the kernel does not announce changes
};

class iptables_source final : public ports::source {
 public:
  // Watches the network namespace of the calling thread, which run() has to share.
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
  std::optional<ports::snapshot> last_;  // the last one published
  unsigned failures_ = 0;                // since then
  std::uint64_t epoch_ = 0;
};

}  // namespace cni_portmap
