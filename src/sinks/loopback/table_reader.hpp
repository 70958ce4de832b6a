// table_reader: what one variant of iptables has in its nat table, as far as it concerns this program: the chains of
// the engines, and those in which rules of this program's are. Text is read where rules have changed since, and no
// other.
//
// Of iptables-nft the kernel is asked by chain (ADR 8), so that what else is in the table costs nothing, and the rules
// come with their handles. Only the first reading, and the one after read_all(), takes the whole table: it finds rules
// that a crashed run has left in chains to which nothing leads any more.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/blocking_calls.hpp"
#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

using table_ptr = std::shared_ptr<const netfilter::nat_table>;  // nullptr: the kernel does not have this variant

class table_reader {
 public:
  // The other two outlive it.
  table_reader(netfilter::nat_programs programs, const rule_options& rules, netfilter::legacy_watch& legacy);

  [[nodiscard]] netfilter::nat_variant variant() const { return tool_.variant(); }

  // The kernel says whether it has this variant; an exit code or a missing line does not. Fails where the table cannot
  // be read as a whole now, also because it keeps changing.
  async::task<base::result<table_ptr>> read();
  void read_all() { all_ = true; }

  // Makes the changes, then the removals. Answers who made them, for netlink::change_watch::ignore(); what the table
  // looks like now is learnt at the next reading.
  async::task<base::result<std::vector<pid_t>>> change(rule_plan plan);

  // Takes out rules of ours that serve no wanted port, by their handles: needs no text. Of iptables-nft alone.
  base::result<> remove_stale(const wanted_ports& wanted) const;

  // Whether the rules differ from those that were read last, or may.
  [[nodiscard]] bool nft_changed() const;
  async::task<bool> legacy_changed();

 private:
  using fingerprint = std::optional<std::uint64_t>;  // empty: cannot be learnt
  [[nodiscard]] base::result<netfilter::nft_nat_view> look() const;
  async::task<fingerprint> look_at_legacy();
  async::task<base::result<table_ptr>> read_nft();
  async::task<base::result<>> read_whole();
  async::task<base::result<netfilter::nat_table>> read_nft_chains(netfilter::nft_nat_view view);
  async::task<base::result<table_ptr>> read_legacy();
  async::task<base::result<table_ptr>> read_plain();
  async::task<base::result<netfilter::nat_table>> read_text();
  [[nodiscard]] std::set<std::string> chains_with_ours(const netfilter::nat_table& table) const;

  netfilter::nat_tool tool_;
  const rule_options& rules_;
  netfilter::legacy_watch& legacy_;
  async::blocking_calls blocking_{2};  // a large legacy table takes tens of milliseconds, and so do many removals
  bool all_ = true;
  std::set<std::string> own_chains_;  // in which rules of ours may be, beside those to which engines lead
  std::optional<std::pair<std::uint64_t, table_ptr>> known_;  // the text that was read last, and its fingerprint
  fingerprint seen_nft_, seen_legacy_;                        // at the last look
};

}  // namespace loopback
