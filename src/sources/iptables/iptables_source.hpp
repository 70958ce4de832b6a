// iptables_source: publishes the ports that CNI's plugin portmap forwards by DNAT rules, whoever asked it to: nerdctl,
// containerd's CRI, or a user's own CNI runtime.
//
// Woken by the kernel where the rules lie in nftables, and by the end of a program that held iptables-legacy's lock;
// looks by itself only where one of the two is denied, the more rarely the longer nothing changes. Reading takes a
// tenth of the time at most. While it cannot read, it is degraded and its last ports stay.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "io/condition.hpp"
#include "netfilter/lock_watch.hpp"
#include "netlink/change_watch.hpp"
#include "ports/source.hpp"
#include "sources/iptables/rule_reader.hpp"

namespace iptables {

struct iptables_options {
  std::filesystem::path lock = "/run/xtables.lock";  // of iptables-legacy's programs
  std::chrono::milliseconds resync{30'000};          // between looks when nothing announced a change
  std::chrono::milliseconds poll_first{250};         // between looks where nothing can announce one, right after one …
  std::chrono::milliseconds poll_last{2'000};        // … and in quietness
};

class iptables_source final : public ports::source {
 public:
  // Watches the network namespace of the calling thread, which must be the one that run() is run in.
  explicit iptables_source(const io::executor& where, iptables_options options = {});

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::iptables; }
  io::task<> run(ports::source_feed& feed) override;

 private:
  io::task<> follow(ports::source_feed& feed);
  template <class Watch>
  io::task<> follow_watch(Watch& watch);
  io::task<> wait_for_reason();
  void publish(ports::source_feed& feed, base::result<ports::snapshot> now);
  [[nodiscard]] bool lock_tells() const { return lock_ && !lock_missed_; }
  [[nodiscard]] bool polls() const;
  [[nodiscard]] bool worth_reading() const;
  io::task<> check_lock();
  void log_polling();

  iptables_options options_;
  std::optional<netlink::change_watch> rules_;
  std::optional<netfilter::lock_watch> lock_;
  rule_reader reader_;
  io::condition changed_;
  bool woken_ = false;
  bool lock_missed_ = false;  // a legacy table changed, and the lock told nothing
  bool told_of_polling_ = false;
  rule_reader::legacy_sizes seen_;  // just before the last reading
  io::clock::time_point read_at_{};
  io::clock::duration read_took_{};
  std::chrono::milliseconds pause_;
  std::optional<ports::snapshot> last_;  // what was published
  unsigned failures_ = 0;                // since then
  std::uint64_t epoch_ = 0;
};

}  // namespace iptables
