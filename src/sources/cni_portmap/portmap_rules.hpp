// portmap_rules: the ports that CNI's plugin portmap publishes, read from its rules. Pure.
//
//   by iptables     PREROUTING and OUTPUT jump to CNI-HOSTPORT-DNAT, which jumps to a chain for each container:
//     -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"bridge\" id: \"default-web\"" -m multiport
//        --dports 8081 -j CNI-DN-8dce0f74c98471aea3053
//     -A CNI-DN-8dce0f74c98471aea3053 -d 127.0.0.1/32 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.4.0.7:80
//   by nftables     table cni_hostport, the container's id as comment:
//     hostip_hostports: ip daddr 127.0.0.1 tcp dport 8081 dnat to 10.4.0.7:80 comment "default-web"
//     hostports:        tcp dport 8080 dnat to 10.4.0.7:80 comment "default-web"
//
// A rule without an address publishes its port on every address. Ports of Kubernetes' pods are bound on the host to the
// address for Services, since most of them serve one. Other chains (Docker's, kube-proxy's) are ignored, and so are the
// copies that this agent adds to a container's chain. A rule that is not one port to one target is refused alone.
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

// The containers' chains to which the dispatch chain jumps, each once; at most max_chains.
[[nodiscard]] std::vector<std::string> container_chains(const std::vector<netfilter::nat_rule>& dispatch);

// Whether an engine knows the container of that name ("default-web") and it does not run. If a container ends by
// itself, nerdctl leaves its rules until it is started or removed. They publish nothing meanwhile.
using stopped_test = std::function<bool(std::string_view name)>;

class portmap_ports {
 public:
  // `pods`: the host's address for ports of Kubernetes' pods without an address. `stopped` may be empty.
  explicit portmap_ports(net::address pods = net::address::any_v4(), stopped_test stopped = {})
      : pods_(pods), stopped_(std::move(stopped)) {}

  // One nat table of iptables, of either variant: the dispatch chain and the containers' chains. Chains without a jump
  // are left out: they are being made or removed.
  void add_iptables(const std::vector<netfilter::nat_chain>& chains, netfilter::family which);
  // The rules of one chain of the nftables backend.
  void add_nftables(const std::vector<netfilter::nat_rule>& rules, netfilter::family which);

  // Everything that was added; the caller sets the epoch.
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
