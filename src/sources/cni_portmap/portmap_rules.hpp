// portmap_rules: the ports that CNI's plugin portmap publishes, read from the rules that it writes. Pure.
//
//   by iptables     PREROUTING and OUTPUT jump to CNI-HOSTPORT-DNAT, which jumps to a chain of each container's:
//     -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"bridge\" id: \"default-web\"" -m multiport
//        --dports 8081 -j CNI-DN-8dce0f74c98471aea3053
//     -A CNI-DN-8dce0f74c98471aea3053 -d 127.0.0.1/32 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.4.0.7:80
//   by nftables     table cni_hostport, the container's id as comment:
//     hostip_hostports: ip daddr 127.0.0.1 tcp dport 8081 dnat to 10.4.0.7:80 comment "default-web"
//     hostports:        tcp dport 8080 dnat to 10.4.0.7:80 comment "default-web"
//
// Without an address a port is published on every one; those of Kubernetes' pods are bound on the host to the address
// that is configured for Services, since that is what most of them are there for. Other chains (Docker's, kube-proxy's)
// are not looked at, and neither are the copies that this agent adds to a container's chain. A rule that says less or
// more than one port to one target is refused by itself.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"
#include "ports/snapshot.hpp"

namespace cni_portmap {

inline constexpr std::string_view dispatch_chain = "CNI-HOSTPORT-DNAT";
inline constexpr std::string_view container_prefix = "CNI-DN-";
inline constexpr std::string_view nft_table = netfilter::portmap_table;
inline constexpr std::string_view nft_chains[] = {"hostip_hostports", netfilter::portmap_everywhere};

inline constexpr std::size_t max_chains = 4'096;      // of containers, in one table
inline constexpr std::size_t max_bindings = 131'072;  // each port of each protocol, once
inline constexpr std::size_t max_refusals = 256;

// The containers' chains to which the rules of the dispatch chain jump, each once; at most max_chains.
[[nodiscard]] std::vector<std::string> container_chains(const std::vector<netfilter::nat_rule>& dispatch);

// Whether an engine knows the container of that name ("default-web") and it does not run. nerdctl leaves the rules of a
// container that ended by itself until it is started or removed: they publish nothing meanwhile.
using stopped_test = std::function<bool(std::string_view name)>;

class portmap_ports {
 public:
  // `pods`: where ports of Kubernetes' pods are bound that name no address. `stopped`: may be empty.
  explicit portmap_ports(net::address pods = net::address::any_v4(), stopped_test stopped = {})
      : pods_(pods), stopped_(std::move(stopped)) {}

  // One nat table of iptables, of either variant: the dispatch chain and the containers'. Those to which it does not
  // jump are left out: they are being made, or being taken away.
  void add_iptables(const std::vector<netfilter::nat_chain>& chains, netfilter::family which);
  // The rules of one chain of the nftables backend.
  void add_nftables(const std::vector<netfilter::nat_rule>& rules, netfilter::family which);

  // All that was added; the epoch is the caller's.
  [[nodiscard]] ports::snapshot take() { return std::move(found_); }

 private:
  struct container {
    std::string owner, name;
  };
  void add(const netfilter::nat_rule& rule, const container& of, netfilter::family which);
  void refuse(const container& of, std::string what, std::string why);

  net::address pods_;
  stopped_test stopped_;
  ports::snapshot found_;
};

}  // namespace cni_portmap
