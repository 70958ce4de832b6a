// options: the agent's command line. Names, defaults and messages are those of the agent that the scripts already
// start; the flags behind them are for tests and for VMs that are laid out otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/go_flags.hpp"
#include "base/result.hpp"
#include "http/connection.hpp"
#include "net/endpoint.hpp"
#include "ports/exposure_policy.hpp"
#include "sources/listeners/ignore_list.hpp"

namespace agent {

struct options {
  bool debug = false;
  bool docker = false;
  bool containerd = false;
  std::string containerd_socket = "/run/k3s/containerd/containerd.sock";
  bool kubernetes = false;
  std::string kubeconfig = "/etc/rancher/k3s/k3s.yaml";
  std::string k8s_service_listener_address = "0.0.0.0";
  std::string k8s_api_port = "6443";
  bool iptables = true;
  bool local_listeners = false;
  bool listeners = true;  // with Docker or containerd
  std::string ignored_listeners = "default";
  bool admin_install = false;
  bool privileged_service = false;
  std::string vtunnel_address = "127.0.0.1:3040";
  std::string tap_interface_ip = "192.168.127.2";
  bool restrict_privileged_ports = true;
  std::string vm_interface = "eth0";

  std::string veth_interface_ip = "192.168.143.1";
  std::string host_switch_url = "http://gateway.rancher-desktop.internal:80";
  std::string wsl_proxy_socket = "/run/wsl-proxy.sock";
  std::string docker_socket;  // empty: DOCKER_HOST, then /var/run/docker.sock
  std::string status_socket = "/run/rancher-desktop-guestagent.sock";
  std::string state_directory = "/var/lib/rancher-desktop-guestagent";
};

// Binds every flag to its field; `o` must outlive the set.
[[nodiscard]] base::flag_set make_flags(options& o);

// What the options mean once they have been found sound.
struct settings {
  ports::exposure_options policy;
  net::address tap;
  net::address veth;
  http::server_address host_switch;
  net::endpoint vtunnel;          // in privileged-service mode
  net::address service_listener;  // to which Kubernetes Services are bound on the host
  std::uint16_t api_port = 0;     // of the Kubernetes API
  bool listeners = false;
  listeners::ignore_list ignored_listeners;
};

// Errors name the flag. `flags` is what the options were read with.
[[nodiscard]] base::result<settings> validate(const options& o, const base::flag_set& flags);

}  // namespace agent
