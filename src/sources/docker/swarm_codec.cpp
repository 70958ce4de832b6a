#include "sources/docker/swarm_codec.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "json/json.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/serving.hpp"
#include "sources/docker/docker_codec.hpp"
#include "sources/engine/container.hpp"

namespace docker {
namespace {

using engine::container;

constexpr json::limits body_limits{.bytes = 64 << 20, .depth = 32};
constexpr std::size_t max_ports = 4'096;  // of one service
constexpr std::string_view prefix = "service/";

bool is_ingress(const json::value& port) {
  return json::find_string(port, "PublishMode").value_or("ingress") == "ingress";
}

const json::array* ports_of(const json::value& service, std::string_view part, std::string_view inner) {
  const auto* outer = json::find(service, part);
  const auto* spec = outer == nullptr || inner.empty() ? outer : json::find(*outer, inner);
  return spec == nullptr ? nullptr : json::find_array(*spec, "Ports");
}

std::size_t count_ingress(const json::array* ports) {
  return ports == nullptr ? 0 : static_cast<std::size_t>(std::ranges::count_if(*ports, is_ingress));
}

std::optional<std::uint16_t> find_port(const json::value& port, std::string_view name) {
  const auto number = json::find_integer(port, name);
  if (!number || *number < 1 || *number > 65'535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

void add_port(container& c, const json::value& port) {
  const auto what = base::printable(json::serialize(port), 200);
  const auto published = find_port(port, "PublishedPort");
  if (!published) return c.refuse(what, "PublishedPort is not a port");
  const auto target = find_port(port, "TargetPort");
  if (!target) return c.refuse(what, "TargetPort is not a port");
  const auto protocol = net::parse_protocol(base::to_lower(json::find_string(port, "Protocol").value_or("tcp")));
  if (!protocol) return c.refuse(what, "not a protocol that can be forwarded");
  if (c.bindings.size() >= max_ports) return c.refuse(what, "too many ports");
  c.bindings.push_back(
      {*protocol, net::address::any_v4(), *published, *target, c.id, c.name, ports::serving::rule_and_proxy});
}

// Ports are assigned some time after the service was made. Its specification shows how many there will be.
bool is_assigned(const json::value& service) {
  return count_ingress(ports_of(service, "Endpoint", "")) >= count_ingress(ports_of(service, "Spec", "EndpointSpec"));
}

container describe(const json::value& service, std::string_view id) {
  container c;
  c.id = service_id(id);
  const auto* spec = json::find(service, "Spec");
  c.name = base::printable(spec == nullptr ? "" : json::find_string(*spec, "Name").value_or(""), 128);
  if (const auto* ports = ports_of(service, "Endpoint", ""))
    for (const auto& port : *ports)
      if (is_ingress(port)) add_port(c, port);
  return c;
}

std::optional<std::string_view> id_of(const json::value& service) {
  const auto id = json::find_string(service, "ID");
  return id && is_id(*id) ? id : std::nullopt;
}

}  // namespace

std::string service_id(std::string_view id) { return std::string(prefix).append(id); }

std::optional<std::string_view> parse_service_id(std::string_view id) {
  return id.starts_with(prefix) ? std::optional(id.substr(prefix.size())) : std::nullopt;
}

// An engine that does not mention swarms, such as podman, has none.
base::result<swarm_role> parse_swarm_role(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  if (!document->is_object()) return base::fail("the engine's info is not an object");
  const auto* swarm = json::find(*document, "Swarm");
  if (swarm == nullptr || swarm->is_null()) return swarm_role::none;
  const auto state = json::find_string(*swarm, "LocalNodeState").value_or("");
  if (state.empty() || state == "inactive") return swarm_role::none;
  const bool manages = state == "active" && json::find_bool(*swarm, "ControlAvailable").value_or(false);
  return manages ? swarm_role::manager : swarm_role::unknown;
}

base::result<engine::container_list> parse_services(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  const auto* elements = document->if_array();
  if (elements == nullptr) return base::fail("expected a list of services");
  engine::container_list list;
  for (const auto& service : *elements) {
    const auto id = id_of(service);
    if (!id) continue;
    if (is_assigned(service))
      list.running.push_back(describe(service, *id));
    else
      list.unknown.insert(service_id(*id));
  }
  return list;
}

base::result<container> parse_service(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  const auto id = id_of(*document);
  if (!id) return base::fail("a service without an id");
  if (!is_assigned(*document)) return base::fail("its ports are not assigned yet");
  return describe(*document, *id);
}

}  // namespace docker
