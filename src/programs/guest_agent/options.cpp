#include "programs/guest_agent/options.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "http/server_address.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "ports/exposure_policy.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "sources/host_sockets/ignore_list.hpp"

namespace guest_agent {
namespace {

constexpr std::size_t longest_interface_name = 15;  // of the kernel's IFNAMSIZ, without its zero

base::result<net::address> service_listener(const options& o) {
  const auto& text = o.k8s_service_listener_address;
  if (text == "0.0.0.0") return net::address::any_v4();
  if (text == "127.0.0.1") return net::address::loopback_v4();
  return base::fail(
      fmt::format("empty or invalid Kubernetes service listener IP address {}; valid options are 0.0.0.0 and 127.0.0.1",
                  base::printable(text)));
}

// Where the vtunnel peer listens. The other modes do not use it: there the flag may be empty, but not malformed.
base::result<net::endpoint> check_vtunnel(const options& o) {
  if (o.vtunnel_address.empty() && !o.privileged_service) return net::endpoint{};
  if (o.vtunnel_address.empty()) return base::fail("-privilegedService needs -vtunnelAddr");
  const auto peer = program::endpoint(o.vtunnel_address);
  if (!peer || peer->ip.is_unspecified())
    return base::fail(
        fmt::format("invalid value \"{}\" for flag -vtunnelAddr: not IP:PORT", base::printable(o.vtunnel_address)));
  return *peer;
}

base::result<std::string> interface_name(std::string_view text) {
  if (text.empty() || text.size() > longest_interface_name || text.find_first_of("/ \t\n") != std::string_view::npos)
    return base::fail("not an interface name");
  return std::string(text);
}

bool is_of_one_machine(const net::address& ip) {
  constexpr std::uint8_t first_multicast = 224;  // and above it the broadcast
  return ip.is_v4() ? ip.data()[0] < first_multicast : ip.data()[0] != 0xff;
}

// At every address of the VM, containers and the LAN would reach the page.
base::result<std::optional<net::endpoint>> page_address(std::string_view text) {
  if (text.empty()) return std::optional<net::endpoint>();
  const auto at = program::endpoint(text);
  if (!at) return std::unexpected(at.error());
  if (at->ip.is_unspecified() || !is_of_one_machine(at->ip)) return base::fail("name one address, such as 127.0.0.1");
  return std::optional(*at);
}

base::result<std::string> wsl_proxy_path(std::string_view text) {
  return text.empty() ? base::result<std::string>{} : program::socket_path(text);
}

ports::network_mode mode_of(const options& o) {
  if (o.privileged_service) return ports::network_mode::privileged_service;
  return o.admin_install ? ports::network_mode::network_tunnel : ports::network_mode::non_admin;
}

base::result<> check_combination(const options& o) {
  if (!o.docker && !o.containerd && !o.iptables)
    return base::fail("requires either -docker, -containerd or -iptables enabled.");
  if (o.local_listeners && (o.admin_install || o.privileged_service))
    return base::fail("-localListeners is for non-admin mode: without -adminInstall and -privilegedService");
  return {};
}

void declare_sources(program::flag_set& flags, options& o) {
  flags.add("docker", o.docker, "Watch the Docker API: forward the ports that containers publish.");
  flags.add("containerd", o.containerd,
            "Watch the containerd API: forward the ports that nerdctl's containers publish, in every namespace.");
  flags.add("containerdSock", o.containerd_socket, program::socket_path, "The `path` of containerd's socket.");
  flags.add("kubernetes", o.kubernetes,
            "Watch the Kubernetes API: forward the ports of Services of type NodePort and LoadBalancer.");
  flags.add("kubeconfig", o.kubeconfig, program::absolute_path, "The kubeconfig `file` of the Kubernetes API.");
  flags.add("k8sServiceListenerAddr", o.k8s_service_listener_address,
            "The `address` on the host for Kubernetes Services and ports of pods: 0.0.0.0 or 127.0.0.1.");
  flags.add("k8sAPIPort", o.k8s_api_port, program::port,
            "The `port` of the Kubernetes API itself. With -kubernetes it is opened for the other WSL distributions.");
  flags.add("iptables", o.iptables,
            "Find forwarded ports in the DNAT rules of CNI's portmap plugin, whichever program uses it.");
  flags.add("localListeners", o.local_listeners,
            "Listen inside the VM on each TCP port that is published by rules alone, so that WSL's own localhost relay "
            "sees it. Only in non-admin mode.");
  flags.add(
      "listeners", o.listeners,
      "Also forward the ports of servers in this network namespace, such as containers that use the host's network. "
      "Without -docker and -containerd, and with -privilegedService, this is off unless the flag is given.");
  flags.add(
      "ignore-listeners", o.ignored_listeners, host_sockets::ignore_list::parse, "default",
      "A `list` of ports whose listeners are not forwarded: ports and ranges, separated by commas, for one protocol "
      "with tcp: or udp: in front, otherwise for both, as in default,tcp:9100,7000-7999. The word default stands for " +
          std::string(host_sockets::ignore_list::defaults) +
          "; an empty list names none. UDP on a port that the kernel gives to clients (net.ipv4.ip_local_port_range) "
          "is "
          "not forwarded, whatever the list says. With -privilegedService the port of -vtunnelAddr is always ignored.");
}

void declare_peers(program::flag_set& flags, options& o) {
  flags.add(
      "adminInstall", o.admin_install,
      "Network tunnel mode: bind the published address on the host. Without it every port is bound to 127.0.0.1.");
  flags.add("restrictPrivilegedPorts", o.restrict_privileged_ports,
            "In non-admin mode, do not expose ports below 1024. Use false if every user of the host may bind them.");
  flags.add(
      "privilegedService", o.privileged_service,
      "Privileged-service mode: the privileged service on the host opens the ports. It is reached through vtunnel.");
  flags.add("vtunnelAddr", o.vtunnel_address, "The `address` (IP:PORT) of the vtunnel peer.");
  flags.add(
      "vm-interface", o.vm_interface, interface_name,
      "In privileged-service mode, the `name` of the interface by which the host reaches this VM. The agent sends "
      "its addresses to the privileged service.");
  flags.add("tap-interface-ip", o.tap, program::ipv4_address,
            "The `address` of the interface by which the host reaches this VM. host-switch forwards to it.");
  flags.add("veth-interface-ip", o.veth, program::ipv4_address,
            "The `address` of this network namespace at which wsl-proxy reaches it.");
  flags.add("host-switch-url", o.host_switch, http::parse_server_address, "The `URL` of host-switch's API.");
  flags.add("wsl-proxy-socket", o.wsl_proxy_socket, wsl_proxy_path,
            "The `path` of wsl-proxy's socket. Empty: there is none, as in a VM outside of WSL.");
  flags.add(
      "docker-socket", o.docker_socket,
      "The `path` of the Docker engine's socket. Empty: the engine that DOCKER_HOST names, or /var/run/docker.sock. "
      "A DOCKER_HOST of tcp:// also uses DOCKER_CERT_PATH and DOCKER_TLS_VERIFY.");
}

void declare_own_files(program::flag_set& flags, options& o) {
  flags.add("status-socket", o.status_socket, program::own_socket_path,
            "The `path` of the status socket, which guestagentctl reads.");
  flags.add(
      "status-page", o.status_page, page_address, "",
      "Serve a page with all ports and their state to browsers at this `address:port` of the VM, such as "
      "127.0.0.1:9990, and expose that port: the page is then http://localhost:9990 on the host. There is no login: "
      "every user of the host and of the VM can read it. Empty: off.");
  flags.add("state-dir", o.state_directory, program::absolute_path,
            "The `directory` in which the agent records what it has exposed, for the time after a crash or reboot.");
  flags.add("rules", o.rules_file, program::absolute_path,
            "The `file` with the port rules: which ports go where, and which are not forwarded. The default one "
            "may be absent; one that is named here may not. The file is read again when it changes. guestagentctl "
            "rules check "
            "tests a file.");
  flags.add("port-labels", o.port_labels,
            "Let a container narrow where its own ports go, by labels such as guestagent.ports.80/tcp=host-port: 8080. "
            "They cannot widen what the rules say.");
  flags.add("trace-events", o.trace_events,
            "Log for each change of a port where its time went, in microseconds: from the engine's event to the peer's "
            "answer.");
}

}  // namespace

void declare(program::flag_set& flags, options& o) {
  declare_sources(flags, o);
  declare_peers(flags, o);
  declare_own_files(flags, o);
}

base::result<settings> validate(const options& o, bool asked_for_listeners) {
  if (auto allowed = check_combination(o); !allowed) return std::unexpected(allowed.error());
  const auto listener = service_listener(o);
  if (!listener) return std::unexpected(listener.error());
  const auto vtunnel = check_vtunnel(o);
  if (!vtunnel) return std::unexpected(vtunnel.error());
  const bool beside_engine = (o.docker || o.containerd) && !o.privileged_service;
  return settings{.policy = {mode_of(o), o.restrict_privileged_ports},
                  .vtunnel = *vtunnel,
                  .service_listener = *listener,
                  .listeners = o.listeners && (beside_engine || asked_for_listeners)};
}

}  // namespace guest_agent
