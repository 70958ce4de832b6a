#include "programs/guest_agent/composition.hpp"

#include <vector>

#include "http/server_address.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/serving.hpp"
#include "ports/snapshot.hpp"
#include "programs/guest_agent/options.hpp"
#include "sources/host_sockets/engine_watch.hpp"
#include "sources/host_sockets/ignore_list.hpp"

namespace guest_agent {
namespace {

// The containerd that dockerd uses if it runs; otherwise dockerd starts one as its child.
constexpr const char* system_containerd = "/run/containerd/containerd.sock";

bool has_wsl_proxy(const options& o, const settings& s) {
  return s.policy.mode != ports::network_mode::privileged_service && !o.wsl_proxy_socket.empty();
}

}  // namespace

std::vector<peer_kind> peers_of(const options& o, const settings& s) {
  using enum peer_kind;
  if (s.policy.mode == ports::network_mode::privileged_service) return {privileged_service, loopback};
  std::vector<peer_kind> peers{host_switch};
  if (has_wsl_proxy(o, s)) peers.push_back(wsl_proxy);
  peers.push_back(loopback);
  if (o.local_listeners) peers.push_back(local_listeners);
  return peers;
}

ports::peer_role role_of(peer_kind kind) {
  using ports::peer_role;
  switch (kind) {
    case peer_kind::host_switch:
    case peer_kind::privileged_service: return peer_role::host;
    case peer_kind::wsl_proxy: return peer_role::wsl;
    case peer_kind::local_listeners: return peer_role::listeners;
    case peer_kind::loopback: break;
  }
  return peer_role::loopback;
}

ports::snapshot static_ports(const options& o, const settings& s) {
  ports::snapshot made;
  if (!o.kubernetes || !has_wsl_proxy(o, s)) return made;
  made.bindings.push_back({net::protocol::tcp, net::address::loopback_v4(), o.k8s_api_port, o.k8s_api_port,
                           "kubernetes-api", "kubernetes-api", ports::serving::announced});
  return made;
}

host_sockets::ignore_list ignored_listeners(const options& o, const settings& s) {
  auto ignored = o.ignored_listeners;
  if (s.policy.mode == ports::network_mode::privileged_service) ignored.add(net::protocol::tcp, s.vtunnel.port);
  return ignored;
}

// containerd listens on loopback for streams, as of `kubectl exec`, also where it serves dockerd alone.
std::vector<host_sockets::watched_engine> watched_engines(const options& o, const http::server_address& docker) {
  std::vector<host_sockets::watched_engine> engines;
  if (o.docker) {
    auto& engine = engines.emplace_back(host_sockets::watched_engine{.programs = {"dockerd", "docker-proxy"}});
    if (!docker.path.empty())
      engine.socket = docker.path;
    else if (const auto ip =
                 docker.host == "localhost" ? net::address::loopback_v4() : net::address::parse(docker.host))
      engine.tcp = net::endpoint{*ip, docker.port};
  }
  if (o.containerd) engines.push_back({.socket = o.containerd_socket, .programs = {"containerd"}});
  if (o.docker && !(o.containerd && o.containerd_socket == system_containerd))
    engines.push_back({.socket = system_containerd, .programs = {"containerd"}});
  return engines;
}

}  // namespace guest_agent
