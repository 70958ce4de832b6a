// options: the agent's command line. Names, defaults and messages are those of the agent that existing scripts start.
// The flags after the blank line are for tests, and for VMs with another layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "http/connection.hpp"
#include "net/endpoint.hpp"
#include "ports/exposure_policy.hpp"
#include "program/go_flags.hpp"
#include "sources/host_sockets/ignore_list.hpp"

namespace guest_agent {

struct options {
  bool docker = false;
  bool containerd = false;
  std::string containerd_socket = "/run/k3s/containerd/containerd.sock";
  bool kubernetes = false;
  std::string kubeconfig = "/etc/rancher/k3s/k3s.yaml";
  std::string k8s_service_listener_address = "0.0.0.0";
  std::uint16_t k8s_api_port = 6443;
  bool iptables = true;
  bool local_listeners = false;
  bool listeners = true;  // with Docker or containerd
  host_sockets::ignore_list ignored_listeners = host_sockets::ignore_list::parse("default").value();
  bool admin_install = false;
  bool privileged_service = false;
  std::string vtunnel_address = "127.0.0.1:3040";
  net::address tap = net::address::v4(192, 168, 127, 2);
  bool restrict_privileged_ports = true;
  std::string vm_interface = "eth0";

  net::address veth = net::address::v4(192, 168, 143, 1);
  http::server_address host_switch = http::parse_server_address("http://gateway.rancher-desktop.internal:80").value();
  std::string wsl_proxy_socket = "/run/wsl-proxy.sock";  // empty: there is none
  std::string docker_socket{};                           // empty: DOCKER_HOST, then /var/run/docker.sock
  std::string status_socket = "/run/rancher-desktop-guestagent.sock";
  std::optional<net::endpoint> status_page{};
  std::string state_directory = "/var/lib/rancher-desktop-guestagent";
  bool trace_events = false;
  bool port_labels = false;
  std::string rules_file = "/etc/rancher-desktop-guestagent/rules.yaml";
};

// Binds every flag to its field; `o` must outlive the set.
void declare(program::flag_set& flags, options& o);

// What several options mean together, after validate().
struct settings {
  ports::exposure_options policy;
  net::endpoint vtunnel;          // set in privileged-service mode
  net::address service_listener;  // to which Kubernetes Services are bound on the host
  bool listeners = false;
};

// Errors name the flag. `asked_for_listeners`: the command line has -listeners.
[[nodiscard]] base::result<settings> validate(const options& o, bool asked_for_listeners);

}  // namespace guest_agent
