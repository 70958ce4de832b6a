// Datagrams of a dump of rules, '4' or '6' in front, as each of the chains that the source reads: every port found is
// one that can be forwarded.
#include <cstdint>
#include <cstdlib>

#include "kernel/netfilter/nft_dump_codec.hpp"
#include "sources/cni_portmap/portmap_rules.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto which = data[0] == '6' ? netfilter::family::ipv6 : netfilter::family::ipv4;
  netfilter::rules_dump found;
  netfilter::parse_rules({reinterpret_cast<const std::byte*>(data + 1), size - 1}, which, found);
  if (found.handles.size() != found.rules.size()) std::abort();
  cni_portmap::portmap_ports ports;
  ports.add_nftables(found.rules, which);
  std::vector<netfilter::nat_chain> chains{{std::string(cni_portmap::dispatch_chain), found.rules}};
  for (const auto& name : cni_portmap::container_chains(found.rules)) chains.push_back({name, found.rules});
  ports.add_iptables(chains, which);
  const auto all = ports.take();
  for (const auto& b : all.bindings)
    if (b.host_port == 0 || b.container_port == 0 || b.owner.empty()) std::abort();
  if (all.bindings.size() > cni_portmap::max_bindings || all.refusals.size() > cni_portmap::max_refusals) std::abort();
  return 0;
}
