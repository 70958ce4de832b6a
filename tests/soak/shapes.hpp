// shapes: what a soak's containers, Services and listeners look like. Each object has a slot, and each slot ports of
// its own, so that no two objects want the same one. A shape is one way to publish ports of a slot. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/protocol.hpp"

namespace soak {

inline constexpr unsigned docker_slots = 10, containerd_slots = 3, service_slots = 5, listener_slots = 5;
inline constexpr unsigned docker_shapes = 9, containerd_shapes = 3, service_shapes = 3, listener_shapes = 8;

// The first port of a slot. It has a hundred; Services of type NodePort have theirs where Kubernetes has them.
inline constexpr std::uint16_t ports_of_a_slot = 100;
[[nodiscard]] constexpr std::uint16_t docker_base(unsigned slot) {
  return static_cast<std::uint16_t>(10'000 + slot * ports_of_a_slot);
}
[[nodiscard]] constexpr std::uint16_t containerd_base(unsigned slot) {
  return static_cast<std::uint16_t>(12'000 + slot * ports_of_a_slot);
}
[[nodiscard]] constexpr std::uint16_t listener_base(unsigned slot) {
  return static_cast<std::uint16_t>(14'000 + slot * ports_of_a_slot);
}
[[nodiscard]] constexpr std::uint16_t balancer_base(unsigned slot) {
  return static_cast<std::uint16_t>(13'000 + slot * ports_of_a_slot);
}
[[nodiscard]] constexpr std::uint16_t node_port(unsigned slot) { return static_cast<std::uint16_t>(30'000 + slot); }

// Ports that follow each other, published on one address.
struct port_run {
  net::protocol protocol = net::protocol::tcp;
  std::string address{};      // empty: every one
  std::uint16_t number = 0;   // 0: the engine chooses
  std::uint16_t inside = 80;  // of the container
  std::uint16_t count = 1;
  bool v6_only = false;  // of a listener on every address
};

struct container_shape {
  std::vector<port_run> published{};  // empty: it uses the host's network
  std::vector<port_run> listens{};    // with the host's network: in the VM itself
  bool is_restarted = false;          // by the engine, after its own return
};

[[nodiscard]] container_shape docker_shape(unsigned slot, unsigned shape);
[[nodiscard]] std::vector<port_run> containerd_shape(unsigned slot, unsigned shape);
[[nodiscard]] std::vector<port_run> listener_shape(unsigned slot, unsigned shape);

struct service_shape {
  std::string type;  // "NodePort", "LoadBalancer" or "ClusterIP"
  std::vector<port_run> ports{};
};
[[nodiscard]] service_shape shape_of_service(unsigned slot, unsigned shape);

[[nodiscard]] std::string docker_name(unsigned slot);
[[nodiscard]] std::string containerd_name(unsigned slot);
[[nodiscard]] std::string service_name(unsigned slot);
[[nodiscard]] std::string listener_name(unsigned slot);

// As `docker run` takes it behind -p, and as the echo server takes it.
[[nodiscard]] std::string to_docker_argument(const port_run& run);
[[nodiscard]] std::string to_server_argument(const port_run& run);
// What a container serves, whatever it publishes.
[[nodiscard]] std::vector<std::string> served_inside();

}  // namespace soak
