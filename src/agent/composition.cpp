#include "agent/composition.hpp"

namespace agent {

std::vector<peer_kind> peers_of(ports::network_mode mode) {
  if (mode == ports::network_mode::privileged_service) return {peer_kind::privileged_service, peer_kind::loopback};
  return {peer_kind::host_switch, peer_kind::wsl_proxy, peer_kind::loopback};
}

peer_role role_of(peer_kind kind) {
  switch (kind) {
    case peer_kind::host_switch:
    case peer_kind::privileged_service: return peer_role::host;
    case peer_kind::wsl_proxy: return peer_role::wsl;
    case peer_kind::loopback: break;
  }
  return peer_role::loopback;
}

ports::snapshot static_ports(const options& o, const settings& s) {
  ports::snapshot made;
  if (!o.kubernetes || s.policy.mode == ports::network_mode::privileged_service) return made;
  made.bindings.push_back(
      {net::protocol::tcp, net::address::loopback_v4(), s.api_port, s.api_port, "kubernetes-api", "kubernetes-api"});
  return made;
}

}  // namespace agent
