// table_reader: the nat table of one variant of iptables, as far as table_scope goes. It reads text only when the rules
// have changed since the last reading. It also makes the changes, because afterwards the last reading is void.
//
// For iptables-nft it dumps single chains from the kernel (ADR 8), so other rules cost nothing, and each rule comes
// with its handle. It dumps nothing while the kernel has counted no change of any rule since the last reading. Only the
// first reading, and the one after reread_whole(), takes the whole table: it finds rules that a crashed run left in
// chains to which no rule jumps.
//
// If the programs of iptables-nft are removed while this one runs, the kernel's table can no longer be read as text,
// and not be changed where that takes the program. The reader then reports that the variant is absent, until the
// programs are back. Our rules stay until the owner has something in their place and removes the
// leftovers() by handle. Rules of iptables-legacy have no handles, and go only when the whole table is replaced: its
// table is then an error, and everything stays, until the programs are back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/blocking_calls.hpp"
#include "base/episode.hpp"
#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "kernel/netfilter/table_change.hpp"
#include "kernel/netfilter/table_scope.hpp"

namespace netfilter {

// nullptr: the kernel does not have this variant, or its programs are gone.
using table_ptr = std::shared_ptr<const nat_table>;

class table_reader {
 public:
  // `legacy` outlives it.
  table_reader(nat_programs programs, table_scope scope, legacy_watch& legacy);

  [[nodiscard]] nat_variant variant() const { return tool_.variant(); }

  // The kernel says whether it has this variant; an exit code or a missing line does not. Fails if the table cannot be
  // read completely, also because it keeps changing.
  async::task<base::result<table_ptr>> read();
  void reread_whole() {
    whole_next_ = true;
    known_generation_.reset();
  }

  // Runs the lines, then the removals. Lines that add chains and rules go to the kernel without a program, for
  // iptables-nft; if it refuses them, to the program. Returns the processes and threads that made them, for
  // netlink::change_watch::ignore().
  async::task<base::result<std::vector<pid_t>>> change(table_change change);

  // Whether the last reading found that the programs are gone; and whether they have come back since.
  [[nodiscard]] bool is_gone() const { return gone_.active(); }
  [[nodiscard]] bool is_back() const { return is_gone() && tool_.is_installed(); }
  // The removal of our rules and jumps while the programs are gone; otherwise an empty change.
  async::task<base::result<table_change>> leftovers();

  // Removes those rules of our chain by handle for which `is_stale` holds. Needs no text. For iptables-nft alone;
  // otherwise it does nothing.
  base::result<> remove_stale(const std::function<bool(const nat_rule&)>& is_stale) const;

  // Whether the rules differ from the last reading, or may.
  [[nodiscard]] bool nft_changed() const;
  async::task<bool> legacy_changed();

 private:
  using fingerprint = std::optional<std::uint64_t>;  // nothing: unknown
  async::task<base::result<pid_t>> run_lines(std::vector<std::string> lines);
  async::task<std::optional<base::result<pid_t>>> add_by_netlink(const std::vector<std::string>& lines);
  [[nodiscard]] base::result<nft_nat_view> read_view() const;
  async::task<fingerprint> read_legacy_fingerprint();
  [[nodiscard]] std::optional<table_ptr> find_current(std::optional<std::uint32_t> generation) const;
  async::task<base::result<table_ptr>> read_nft();
  async::task<base::result<std::optional<table_ptr>>> read_nft_at(nft_nat_view view);
  async::task<base::result<>> read_whole();
  async::task<base::result<nat_table>> read_nft_chains(nft_nat_view view);
  async::task<base::result<table_ptr>> read_legacy();
  async::task<base::result<table_ptr>> read_plain();
  async::task<base::result<nat_table>> read_text();
  [[nodiscard]] std::set<std::string> chains_with_ours(const nat_table& table) const;

  nat_tool tool_;
  table_scope scope_;
  legacy_watch& legacy_;
  async::blocking_calls blocking_{2};  // a large legacy table takes tens of milliseconds, and so do many removals
  bool whole_next_ = true;
  std::set<std::string> own_chains_;  // beside the engines' chains: those that may hold rules of ours
  std::optional<std::pair<std::uint64_t, table_ptr>> known_;  // the last reading and its fingerprint
  std::optional<std::uint32_t> known_generation_;             // of nftables, before that reading; nothing: unknown
  fingerprint seen_nft_, seen_legacy_;
  bool refusal_noted_ = false;
  base::log::episode gone_{"netfilter", "iptables-nft has been removed"};
};

}  // namespace netfilter
