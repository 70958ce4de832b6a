#include "agent/options.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace agent {
namespace {

constexpr const char* description =
    "Watches the container engine inside the VM and has every port that is published there forwarded: to the host by "
    "host-switch, to the other WSL distributions by wsl-proxy. Runs as root in the engine's network namespace; the "
    "engine "
    "and both peers may start later, restart and go. What is exposed, and why something is not: guestagentctl "
    "ports.\n\n"
    "There are three modes. -adminInstall, the network tunnel: host-switch binds on the host what was asked for. "
    "-privilegedService: a privileged service on the host does, which is told through vtunnel and connects to the "
    "addresses of -vm-interface; there is no host-switch and no wsl-proxy then, and -adminInstall beside it changes "
    "nothing. With neither it is non-admin mode: host-switch binds every port to 127.0.0.1, and ports below 1024 are "
    "not exposed.";

constexpr std::size_t longest_socket_path = 107;  // of sockaddr_un, with its zero

constexpr std::size_t longest_interface_name = 15;  // of the kernel's IFNAMSIZ, without its zero

base::result<net::address> parse_v4(std::string_view flag, const std::string& text) {
  const auto parsed = net::address::parse(text);
  if (!parsed || !parsed->is_v4() || parsed->is_unspecified())
    return base::fail(
        fmt::format("invalid value \"{}\" for flag -{}: not an IPv4 address", base::printable(text), flag));
  return *parsed;
}

base::result<> check_kubernetes(const options& o) {
  if (o.k8s_service_listener_address != "0.0.0.0" && o.k8s_service_listener_address != "127.0.0.1")
    return base::fail(fmt::format(
        "empty or invalid Kubernetes service listener IP address {}; valid options are 0.0.0.0 and 127.0.0.1",
        base::printable(o.k8s_service_listener_address)));
  if (!base::parse_port(o.k8s_api_port))
    return base::fail(
        fmt::format("invalid value \"{}\" for flag -k8sAPIPort: not a port number", base::printable(o.k8s_api_port)));
  return {};
}

// Where the vtunnel peer listens; not looked at in the other modes, which do without one.
base::result<net::endpoint> check_vtunnel(const options& o) {
  if (!o.privileged_service) return net::endpoint{};
  if (o.vtunnel_address.empty()) return base::fail("-privilegedService needs -vtunnelAddr");
  const auto peer = net::parse_endpoint(o.vtunnel_address);
  if (!peer || peer->port == 0 || peer->ip.is_unspecified())
    return base::fail(
        fmt::format("invalid value \"{}\" for flag -vtunnelAddr: not IP:PORT", base::printable(o.vtunnel_address)));
  const auto& name = o.vm_interface;
  if (name.empty() || name.size() > longest_interface_name || name.find_first_of("/ \t\n") != std::string::npos)
    return base::fail(
        fmt::format("invalid value \"{}\" for flag -vm-interface: no interface's name", base::printable(name)));
  return *peer;
}

base::result<> check_paths(const options& o) {
  const std::pair<const char*, const std::string*> paths[] = {{"wsl-proxy-socket", &o.wsl_proxy_socket},
                                                              {"containerdSock", &o.containerd_socket},
                                                              {"status-socket", &o.status_socket}};
  for (const auto& [flag, path] : paths)
    if (!path->starts_with('/') || path->size() > longest_socket_path)
      return base::fail(fmt::format("invalid value \"{}\" for flag -{}: not an absolute path of a socket's length",
                                    base::printable(*path), flag));
  for (const auto& [flag, path] : {std::pair("state-dir", &o.state_directory), std::pair("kubeconfig", &o.kubeconfig)})
    if (!path->starts_with('/'))
      return base::fail(
          fmt::format("invalid value \"{}\" for flag -{}: not an absolute path", base::printable(*path), flag));
  return {};
}

ports::network_mode mode_of(const options& o) {
  if (o.privileged_service) return ports::network_mode::privileged_service;
  return o.admin_install ? ports::network_mode::network_tunnel : ports::network_mode::non_admin;
}

}  // namespace

base::flag_set make_flags(options& o) {
  base::flag_set flags("rancher-desktop-guestagent", "[flags]", description);
  flags.add("debug", o.debug, "Write debug lines to the log too.");
  flags.add("docker", o.docker, "Watch the Docker API: forward the ports that containers publish.");
  flags.add("containerd", o.containerd,
            "Watch the containerd API: forward the ports that nerdctl's containers publish, in every namespace.");
  flags.add("containerdSock", o.containerd_socket, "The `path` of containerd's socket.");
  flags.add("kubernetes", o.kubernetes,
            "Watch the Kubernetes API: forward the ports of Services of type NodePort and LoadBalancer.");
  flags.add("kubeconfig", o.kubeconfig, "The `file` that says how to reach the Kubernetes API.");
  flags.add("k8sServiceListenerAddr", o.k8s_service_listener_address,
            "The `address` to which Kubernetes Services, and ports of pods, are bound on the host: 0.0.0.0 or "
            "127.0.0.1.");
  flags.add(
      "k8sAPIPort", o.k8s_api_port,
      "The `port` of the Kubernetes API itself, which the other WSL distributions get to see while -kubernetes is on.");
  flags.add("iptables", o.iptables,
            "Find forwarded ports in the DNAT rules of CNI's plugin portmap, whoever had them made.");
  flags.add("localListeners", o.local_listeners,
            "Listen inside the VM on each TCP port that is published by rules alone, for WSL's own localhost relay to "
            "see it. Only in non-admin mode.");
  flags.add(
      "listeners", o.listeners,
      "Forward what listens in this network namespace, too: the servers of containers that use the host's network. "
      "Without -docker and -containerd, and with -privilegedService, only if it is asked for by name.");
  flags.add(
      "ignore-listeners", o.ignored_listeners,
      "A `list` of ports whose listeners are not forwarded: ports and ranges, separated by commas, each with tcp: or "
      "udp: in front or meant for both, as in default,tcp:9100,7000-7999. The word default stands for " +
          std::string(listeners::ignore_list::defaults) +
          "; an empty list ignores nothing. The port of -vtunnelAddr is ignored in any case where it is used.");
  flags.add("adminInstall", o.admin_install,
            "Network tunnel mode: bind on the host what was asked for. Without it every port is "
            "bound to 127.0.0.1.");
  flags.add("restrictPrivilegedPorts", o.restrict_privileged_ports,
            "In non-admin mode, do not expose ports below 1024. False where the host lets everybody bind them.");
  flags.add("privilegedService", o.privileged_service,
            "Privileged-service mode: forward ports by the privileged service on the host, through vtunnel.");
  flags.add("vtunnelAddr", o.vtunnel_address, "The `address` (IP:PORT) of the vtunnel peer.");
  flags.add("vm-interface", o.vm_interface,
            "In privileged-service mode, the `name` of the interface by which the host reaches this VM; the privileged "
            "service is told its addresses.");
  flags.add("tap-interface-ip", o.tap_interface_ip,
            "The `address` of the interface by which the host reaches this VM; host-switch is "
            "told to forward to it.");
  flags.add("veth-interface-ip", o.veth_interface_ip,
            "The `address` of this network namespace at which wsl-proxy reaches it.");
  flags.add("host-switch-url", o.host_switch_url, "The `URL` of host-switch's API.");
  flags.add("wsl-proxy-socket", o.wsl_proxy_socket, "The `path` of wsl-proxy's socket.");
  flags.add("docker-socket", o.docker_socket,
            "The `path` of the Docker engine's socket. Empty: what DOCKER_HOST says, or "
            "/var/run/docker.sock.");
  flags.add("status-socket", o.status_socket, "The `path` of the socket at which guestagentctl asks this agent.");
  flags.add("state-dir", o.state_directory,
            "The `directory` in which the agent remembers, through crashes and reboots, what it has "
            "exposed.");
  return flags;
}

base::result<settings> validate(const options& o, const base::flag_set& flags) {
  if (!flags.rest().empty()) return base::fail("unexpected argument: " + base::printable(flags.rest().front()));
  if (!o.docker && !o.containerd && !o.iptables)
    return base::fail("requires either -docker, -containerd or -iptables enabled.");
  if (o.local_listeners && (o.admin_install || o.privileged_service))
    return base::fail("-localListeners is for non-admin mode: without -adminInstall and -privilegedService");
  if (auto sound = check_kubernetes(o); !sound) return std::unexpected(sound.error());
  if (auto sound = check_paths(o); !sound) return std::unexpected(sound.error());
  const auto tap = parse_v4("tap-interface-ip", o.tap_interface_ip);
  if (!tap) return std::unexpected(tap.error());
  const auto veth = parse_v4("veth-interface-ip", o.veth_interface_ip);
  if (!veth) return std::unexpected(veth.error());
  auto host_switch = http::parse_server_address(o.host_switch_url);
  if (!host_switch) return base::fail("flag -host-switch-url: " + host_switch.error().message());
  const auto vtunnel = check_vtunnel(o);
  if (!vtunnel) return std::unexpected(vtunnel.error());
  auto ignored = listeners::ignore_list::parse(o.ignored_listeners);
  if (!ignored)
    return base::fail(fmt::format("invalid value \"{}\" for flag -ignore-listeners: {}",
                                  base::printable(o.ignored_listeners), ignored.error().message()));
  const ports::exposure_options policy{mode_of(o), o.restrict_privileged_ports};
  const auto listener = net::address::parse(o.k8s_service_listener_address).value_or(net::address::any_v4());
  const bool beside_engine = (o.docker || o.containerd) && !o.privileged_service;
  const bool listeners = o.listeners && (beside_engine || flags.is_set("listeners"));
  return settings{policy,
                  *tap,
                  *veth,
                  std::move(*host_switch),
                  *vtunnel,
                  listener,
                  base::parse_port(o.k8s_api_port).value_or(0),
                  listeners,
                  std::move(*ignored)};
}

}  // namespace agent
