#include "sources/containerd/ports_codec.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "json/json.hpp"
#include "net/host_address.hpp"
#include "net/protocol.hpp"
#include "ports/owner_traits.hpp"
#include "ports/serving.hpp"
#include "sources/containerd/records.hpp"
#include "sources/engine/container.hpp"

namespace containerd {
namespace {

using engine::container;

constexpr json::limits port_limits{.bytes = 1 << 20, .depth = 8};
constexpr std::size_t max_bindings = 131'072;  // of one container: every port of both protocols

std::optional<std::uint16_t> find_port(const json::value& mapping, std::string_view name) {
  const auto* number = json::find_any_case(mapping, name);
  if (number == nullptr || !number->is_int64()) return std::nullopt;
  const auto value = number->as_int64();
  return value >= 1 && value <= 65'535 ? std::optional(static_cast<std::uint16_t>(value)) : std::nullopt;
}

std::string_view find_text(const json::value& mapping, std::string_view name) {
  const auto* text = json::find_any_case(mapping, name);
  return text != nullptr && text->is_string() ? std::string_view(text->as_string()) : std::string_view{};
}

void refuse(container& c, const json::value& mapping, std::string_view why) {
  c.refuse(base::printable(json::serialize(mapping), 200), why);
}

void add_mapping(container& c, const json::value& mapping) {
  const auto host = find_port(mapping, "HostPort");
  if (!host) return refuse(c, mapping, "HostPort is not a port");
  const auto inside = find_port(mapping, "ContainerPort");
  if (!inside) return refuse(c, mapping, "ContainerPort is not a port");
  const auto name = find_text(mapping, "Protocol");
  const auto protocol = name.empty() ? net::protocol::tcp : net::parse_protocol(base::to_lower(name));
  if (!protocol) return refuse(c, mapping, "unknown Protocol");
  const auto address = net::parse_host_address(find_text(mapping, "HostIP"));
  if (!address) return refuse(c, mapping, "HostIP is not an address");
  if (c.bindings.size() >= max_bindings) return refuse(c, mapping, "too many ports");
  c.bindings.push_back({*protocol, *address, *host, *inside, c.id, c.name, ports::serving::nat_rule});
}

void add_mappings(container& c, const json::value* list, std::string_view where) {
  if (list == nullptr || list->is_null()) return;
  const auto* mappings = list->if_array();
  if (mappings == nullptr) return c.refuse(where, "expected a JSON array of ports");
  for (const auto& mapping : *mappings) add_mapping(c, mapping);
}

void add_label(container& c, std::string_view label) {
  const auto document = json::parse(label, port_limits);
  if (!document) return c.refuse(ports_label, document.error().message());
  add_mappings(c, &*document, ports_label);
}

void add_network_config(container& c, std::string_view text) {
  constexpr std::string_view where = "network-config.json";
  const auto document = json::parse(text, port_limits);
  if (!document) return c.refuse(where, document.error().message());
  add_mappings(c, json::find_any_case(*document, "portMappings"), where);
}

// Empty: nerdctl gave it none.
std::string_view bare_name(const container_record& c) {
  const auto label = c.labels.find(name_label);
  return label == c.labels.end() ? std::string_view() : std::string_view(label->second);
}

std::string display_name(std::string_view name_space, const container_record& c) {
  const auto bare = bare_name(c);
  const auto name = bare.empty() ? c.id : base::printable(bare, 128);
  return name_space == "default" ? name : std::string(name_space) + '/' + name;
}

// nerdctl's own labels are long, and say how it runs the container.
ports::owner_traits traits_of(std::string_view name_space, const container_record& record) {
  ports::owner_traits traits{.name = bare_name(record), .space = name_space, .image = record.image};
  for (const auto& [key, value] : record.labels)
    if (!key.starts_with("nerdctl/")) traits.labels.push_back({key, value});
  return traits;
}

}  // namespace

std::string global_id(std::string_view name_space, std::string_view id) {
  return std::string(name_space).append(1, '/').append(id);
}

local_id split_global_id(std::string_view global) {
  const auto slash = global.find('/');
  if (slash == std::string_view::npos) return {"", std::string(global)};
  return {std::string(global.substr(0, slash)), std::string(global.substr(slash + 1))};
}

std::optional<std::string_view> state_directory(const container_record& c) {
  if (c.labels.contains(ports_label)) return std::nullopt;
  const auto label = c.labels.find(state_directory_label);
  return label == c.labels.end() ? std::nullopt : std::optional<std::string_view>(label->second);
}

bool is_network_config(std::string_view text) { return json::parse(text, port_limits).has_value(); }

container describe_container(std::string_view name_space, const container_record& record,
                             const base::result<std::optional<std::string>>& network_config) {
  container c;
  c.id = global_id(name_space, record.id);
  c.name = display_name(name_space, record);
  const auto label = record.labels.find(ports_label);
  if (label != record.labels.end())
    add_label(c, label->second);
  else if (!network_config)
    c.refuse("network-config.json", network_config.error().message());
  else if (const auto& text = *network_config)
    add_network_config(c, *text);
  c.set_traits(traits_of(name_space, record));
  return c;
}

}  // namespace containerd
