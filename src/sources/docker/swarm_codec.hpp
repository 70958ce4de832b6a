// What the Docker Engine API says about a swarm and its services, as values. Pure and total.
//
// A port that a service publishes by the ingress network is open on every address of every node of the swarm, whichever
// node its tasks run on. A port in mode `host` is published by the task's container, and listed with that.
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
  manager,  // it is, and it knows the services
  unknown   // it is, or will be, and cannot tell the services at present: a worker, or a node that is locked
};
// GET /info.
[[nodiscard]] base::result<swarm_role> parse_swarm_role(std::string_view body);

// GET /services, each as a container with the id service_id(). Those whose ports are not assigned yet are unknown.
[[nodiscard]] base::result<engine::container_list> parse_services(std::string_view body);
// GET /services/<id>. Fails where its ports are not assigned yet.
[[nodiscard]] base::result<engine::container> parse_service(std::string_view body);

// "service/0123…": the id of a service among those of containers, and backwards.
[[nodiscard]] std::string service_id(std::string_view id);
[[nodiscard]] std::optional<std::string_view> parse_service_id(std::string_view id);

}  // namespace docker
