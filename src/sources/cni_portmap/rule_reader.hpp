// rule_reader: reads all tables that may have CNI's rules, in the network namespace of the calling thread: nftables as
// iptables-nft and portmap's own backend use it, and iptables-legacy's tables, for both families. It reads only CNI's
// chains, so the rest of the tables costs next to nothing. It runs no program and creates no table.
#pragma once

#include "async/blocking_calls.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "ports/snapshot.hpp"
#include "sources/cni_portmap/portmap_rules.hpp"

namespace cni_portmap {

class rule_reader {
 public:
  // `pods`, `stopped`: see portmap_ports.
  explicit rule_reader(net::address pods, stopped_test stopped = {}) : pods_(pods), stopped_(std::move(stopped)) {}

  // The ports that are published now. Fails if any table cannot be read: a partial result would withdraw ports. Legacy
  // tables are read beside the control thread, since the kernel needs some ten milliseconds for a large one.
  async::task<base::result<ports::snapshot>> read();

 private:
  base::result<> read_nftables(portmap_ports& into);
  bool has_none(const base::error& why);

  net::address pods_;
  stopped_test stopped_;
  bool nftables_answered_ = false;
  bool logged_no_nftables_ = false;
  async::blocking_calls blocking_{1};
};

}  // namespace cni_portmap
