// nat_tables: the nat tables of all variants of iptables on this machine, and the notices of their changes. A kernel
// has up to two of them at the same time, nft and legacy, and asks both for each connection. Owner of the watches: of
// nfnetlink and rtnetlink for changes of nftables and addresses, and of iptables-legacy's lock file.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netfilter/table_reader.hpp"
#include "kernel/netlink/change_watch.hpp"

namespace netfilter {

class nat_tables {
 public:
  using reading = std::vector<base::result<table_ptr>>;  // one for each variant

  // `component` begins the log lines of the watches.
  nat_tables(const async::executor& where, const std::vector<nat_programs>& programs, const table_scope& scope,
             legacy_watch_options legacy, std::string component);
  nat_tables(const nat_tables&) = delete;
  nat_tables& operator=(const nat_tables&) = delete;

  [[nodiscard]] nat_variant variant(std::size_t index) const { return readers_[index].variant(); }

  async::task<reading> read();
  // The next reading finds rules of ours in every chain.
  void reread_whole();

  // A change of our own makes no notice.
  async::task<base::result<>> change(std::size_t index, table_change change);
  // See table_reader.
  async::task<base::result<table_change>> leftovers(std::size_t index);
  [[nodiscard]] bool is_gone(std::size_t index) const { return readers_[index].is_gone(); }
  [[nodiscard]] bool is_any_gone() const;
  base::result<> remove_stale(std::size_t index, const std::function<bool(const nat_rule&)>& is_stale) const;

  // Whether the kernel announces changes of rules at all.
  [[nodiscard]] bool announces_rules() const { return watch_ != nullptr && watch_->sees_rules(); }
  // Whether notified() can return.
  [[nodiscard]] bool has_watch() const { return watch_ != nullptr; }
  // Returns after a change of nftables by another program, or of the machine's addresses. Only with a watch.
  async::task<> notified();
  // Whether a table of nftables differs from the last reading, or may; or can be read as text again.
  [[nodiscard]] bool nft_changed() const;

  // Whether a variant is not nft, so that legacy_changed() can return.
  [[nodiscard]] bool has_legacy() const;
  // Returns when a table of iptables-legacy differs from the last reading, or may.
  async::task<> legacy_changed();

 private:
  std::unique_ptr<netlink::change_watch> watch_;  // null: changes cannot be watched
  legacy_watch legacy_;
  std::vector<table_reader> readers_;
};

}  // namespace netfilter
