#include "sources/cni_portmap/rule_reader.hpp"

#include <array>
#include <chrono>
#include <expected>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "ports/snapshot.hpp"
#include "sources/cni_portmap/portmap_rules.hpp"

namespace cni_portmap {
namespace {

using netfilter::family;
using netfilter::nat_chain;

constexpr family families[] = {family::ipv4, family::ipv6};
constexpr std::chrono::seconds legacy_patience{5};
constexpr std::array legacy_prefixes{dispatch_chain, container_prefix};

base::result<> read_iptables_nft(netfilter::nft_reader& kernel, family which, portmap_ports& into) {
  std::vector<nat_chain> chains;
  auto dispatch = kernel.read({which, "nat", std::string(dispatch_chain)});
  if (!dispatch) return std::unexpected(dispatch.error());
  for (auto& name : container_chains(*dispatch)) {
    auto rules = kernel.read({which, "nat", name});
    if (!rules) return std::unexpected(rules.error());
    chains.push_back({std::move(name), std::move(*rules)});
  }
  chains.push_back({std::string(dispatch_chain), std::move(*dispatch)});
  into.add_iptables(chains, which);
  return {};
}

base::result<> read_nft_backend(netfilter::nft_reader& kernel, family which, portmap_ports& into) {
  for (const auto chain : nft_chains) {
    const auto rules = kernel.read({which, std::string(nft_table), std::string(chain)});
    if (!rules) return std::unexpected(rules.error());
    into.add_nftables(*rules, which);
  }
  return {};
}

}  // namespace

// A kernel without nftables has several error codes for it, from the first request on.
bool rule_reader::has_none(const base::error& why) {
  const bool none =
      !nftables_answered_ &&
      (why.code == std::errc::protocol_not_supported || why.code == std::errc::invalid_argument ||
       why.code == std::errc::operation_not_supported || why.code == std::errc::address_family_not_supported);
  if (none && !std::exchange(logged_no_nftables_, true))
    base::log::info("iptables", "nftables is not available reason=\"{}\"", why.message());
  return none;
}

base::result<> rule_reader::read_nftables(portmap_ports& into) {
  auto kernel = netfilter::nft_reader::open();
  auto done = kernel ? base::result<>{} : std::unexpected(kernel.error());
  for (const auto which : families) {
    if (done) done = read_iptables_nft(*kernel, which, into);
    if (done) done = read_nft_backend(*kernel, which, into);
  }
  if (!done && has_none(done.error())) return {};
  nftables_answered_ = nftables_answered_ || done;
  return done;
}

async::task<base::result<ports::snapshot>> rule_reader::read() {
  portmap_ports found(pods_, stopped_);
  if (auto done = read_nftables(found); !done) co_return std::unexpected(done.error());
  for (const auto which : families) {
    const auto there = netfilter::has_legacy_nat(which);
    if (!there) co_return std::unexpected(there.error());
    if (!*there) continue;
    auto table = [which] { return netfilter::read_legacy_nat(which, legacy_prefixes); };
    const auto chains = co_await blocking_.run(table, legacy_patience);
    if (!chains) co_return std::unexpected(chains.error());
    found.add_iptables(*chains, which);
  }
  co_return found.take();
}

}  // namespace cni_portmap
