// swarm_codec: a swarm and its services in the Docker Engine API, as values. Pure and total.
//
// A service's ingress port is open on every address of every node of the swarm, also on nodes without a task of the
// service. A port in mode `host` is published by the task's container, and listed with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sources/engine/container.hpp"

namespace docker {

enum class swarm_role : std::uint8_t {
  none,     // the engine is not part of a swarm
  manager,  // part of a swarm whose services it can list
  unknown   // part of a swarm whose services it cannot list at present: a worker, or a locked node
};
// GET /info.
[[nodiscard]] base::result<swarm_role> parse_swarm_role(std::string_view body);

// GET /services, each as a container with the id service_id(). Services without assigned ports are unknown.
[[nodiscard]] base::result<engine::container_list> parse_services(std::string_view body);
// GET /services/<id>. Fails if its ports are not assigned yet.
[[nodiscard]] base::result<engine::container> parse_service(std::string_view body);

// "service/0123…": the id of a service among the ids of containers, and the reverse.
[[nodiscard]] std::string service_id(std::string_view id);
[[nodiscard]] std::optional<std::string_view> parse_service_id(std::string_view id);

}  // namespace docker
