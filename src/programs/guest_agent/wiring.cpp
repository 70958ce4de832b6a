#include "programs/guest_agent/wiring.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "net/stream_address.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/journal.hpp"
#include "ports/reconciler.hpp"
#include "ports/rule_names.hpp"
#include "ports/serving.hpp"
#include "ports/sink.hpp"
#include "ports/source.hpp"
#include "programs/guest_agent/composition.hpp"
#include "sinks/host_switch/host_switch_sink.hpp"
#include "sinks/loopback/api_guard.hpp"
#include "sinks/loopback/loopback_sink.hpp"
#include "sinks/loopback/rule_options.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "sinks/visible_listeners/local_listeners_sink.hpp"
#include "sources/cni_portmap/iptables_source.hpp"
#include "sources/containerd/containerd_source.hpp"
#include "sources/docker/docker_source.hpp"
#include "sources/engine/stopped_containers.hpp"
#include "sources/host_sockets/listeners_source.hpp"
#include "sources/kubernetes/kubernetes_source.hpp"
#include "sources/static_ports/static_source.hpp"

namespace guest_agent {
namespace {

// What the agent has exposed on a peer that others use too.
base::result<ports::journal> open_journal(const configuration& c, const std::string& peer) {
  return ports::journal::open(c.flags.state_directory, peer, ports::read_boot_id());
}

// Without its journal the agent works, but forgets when it crashes.
std::unique_ptr<ports::reconciler> make_reconciler(const async::executor& where, std::unique_ptr<ports::sink> sink,
                                                   base::result<ports::journal> book) {
  if (book) return std::make_unique<ports::reconciler>(where, std::move(sink), std::move(*book));
  base::log::error("journal", "what is exposed will not be remembered through a crash peer={} reason=\"{}\"",
                   sink->name(), book.error().message());
  auto made = std::make_unique<ports::reconciler>(where, std::move(sink), std::nullopt);
  made->lack_journal(book.error());
  return made;
}

std::unique_ptr<ports::reconciler> make_host_switch(const async::executor& where, const configuration& c) {
  host_switch_peer::host_switch_options o{.server = c.flags.host_switch, .tap = c.flags.tap};
  auto sink = std::make_unique<host_switch_peer::host_switch_sink>(where, std::move(o));
  return make_reconciler(where, std::move(sink), open_journal(c, "host-switch"));
}

std::unique_ptr<ports::reconciler> make_privileged_service(const async::executor& where, const configuration& c) {
  port_mapping_peer::port_mapping_options o;
  o.name = ports::privileged_service_name;
  o.peer = c.validated.vtunnel;
  o.interface = c.flags.vm_interface;
  o.address_file = c.flags.state_directory + "/" + o.name + ".addresses";
  auto book = open_journal(c, o.name);
  auto sink = std::make_unique<port_mapping_peer::port_mapping_sink>(where, std::move(o));
  return make_reconciler(where, std::move(sink), std::move(book));
}

std::unique_ptr<ports::reconciler> make_wsl_proxy(const async::executor& where, const configuration& c) {
  port_mapping_peer::port_mapping_options o;
  o.peer = net::unix_path{c.flags.wsl_proxy_socket};
  auto sink = std::make_unique<port_mapping_peer::port_mapping_sink>(where, std::move(o));
  return make_reconciler(where, std::move(sink), open_journal(c, "wsl-proxy"));
}

// The nat chains by which the engines that are watched publish: dockerd's own, and those of CNI's portmap plugin.
std::vector<loopback::engine_chain> engine_chains(const options& o) {
  std::vector<loopback::engine_chain> chains;
  if (o.docker) chains.push_back({"DOCKER", "DOCKER"});
  if (o.containerd || o.iptables) chains.push_back({"CNI-HOSTPORT-DNAT", "CNI-DN-*", ports::serving::nat_rule});
  return chains;
}

std::unique_ptr<ports::reconciler> make_loopback(const async::executor& where, const configuration& c) {
  loopback::loopback_options o;
  if (c.validated.policy.mode == ports::network_mode::privileged_service) {
    o.rules.rules.interface = c.flags.vm_interface;
  } else {
    o.rules.rules.tap = c.flags.tap;
    o.rules.rules.veth = c.flags.veth;
    o.api = loopback::guarded_server{c.flags.host_switch.host, c.flags.host_switch.port};
  }
  o.rules.rules.engines = engine_chains(c.flags);
  o.rules.state_directory = c.flags.state_directory;
  auto sink = std::make_unique<loopback::loopback_sink>(where, std::move(o));
  return std::make_unique<ports::reconciler>(where, std::move(sink), std::nullopt);
}

std::unique_ptr<ports::reconciler> make_local_listeners(const async::executor& where) {
  auto sink = std::make_unique<visible_listeners::local_listeners_sink>(where);
  return std::make_unique<ports::reconciler>(where, std::move(sink), std::nullopt);
}

}  // namespace

std::unique_ptr<ports::reconciler> make_peer(const async::executor& where, const configuration& c, peer_kind kind) {
  switch (kind) {
    case peer_kind::host_switch: return make_host_switch(where, c);
    case peer_kind::privileged_service: return make_privileged_service(where, c);
    case peer_kind::wsl_proxy: return make_wsl_proxy(where, c);
    case peer_kind::local_listeners: return make_local_listeners(where);
    case peer_kind::loopback: break;
  }
  return make_loopback(where, c);
}

std::vector<std::unique_ptr<ports::source>> make_sources(const async::executor& where, const configuration& c) {
  std::vector<std::unique_ptr<ports::source>> sources;
  const auto stopped = c.flags.containerd ? std::make_shared<engine::stopped_containers>(where) : nullptr;
  if (c.flags.docker) {
    auto o = c.docker;
    o.following.trace = c.trace;
    sources.push_back(std::make_unique<docker::docker_source>(where, std::move(o)));
  }
  if (c.flags.containerd) {
    containerd::containerd_options o{.socket = c.flags.containerd_socket};
    o.following.stopped = stopped;
    o.following.trace = c.trace;
    sources.push_back(std::make_unique<containerd::containerd_source>(where, std::move(o)));
  }
  if (c.flags.kubernetes) {
    kubernetes::kubernetes_options o{.kubeconfig = c.flags.kubeconfig, .listener = c.validated.service_listener};
    sources.push_back(std::make_unique<kubernetes::kubernetes_source>(where, std::move(o)));
  }
  if (c.flags.iptables) {
    cni_portmap::iptables_options o{.pods = c.validated.service_listener, .stopped = stopped};
    sources.push_back(std::make_unique<cni_portmap::iptables_source>(where, std::move(o)));
  }
  if (c.validated.listeners) {
    host_sockets::listeners_options o{.tracker = {.ignored = ignored_listeners(c.flags, c.validated)},
                                      .owners = {.engines = watched_engines(c.flags, c.docker.engine)}};
    sources.push_back(std::make_unique<host_sockets::listeners_source>(where, std::move(o)));
  }
  if (auto fixed = static_ports(c.flags, c.validated); !fixed.bindings.empty())
    sources.push_back(std::make_unique<static_ports::static_source>(where, std::move(fixed)));
  return sources;
}

}  // namespace guest_agent
