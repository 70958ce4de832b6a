#include "sources/docker/docker_codec.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/plain_name.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "json/json.hpp"
#include "net/host_address.hpp"
#include "net/protocol.hpp"
#include "ports/owner_traits.hpp"
#include "ports/serving.hpp"
#include "sources/engine/container.hpp"

namespace docker {
namespace {

using engine::container;

constexpr json::limits body_limits{.bytes = 64 << 20, .depth = 32};
constexpr std::size_t max_bindings = 200'000;  // of one container: every port of both protocols, more than once
constexpr std::pair<unsigned, unsigned> newest_known{1, 52};

// "80/tcp"; a missing protocol is tcp, as in the engine's own parser.
std::optional<std::pair<std::uint16_t, net::protocol>> parse_port_spec(std::string_view text) {
  const auto slash = text.find('/');
  const auto port = base::parse_port(text.substr(0, slash));
  const auto protocol = slash == std::string_view::npos ? net::protocol::tcp
                                                        : net::parse_protocol(base::to_lower(text.substr(slash + 1)));
  if (!port || !protocol) return std::nullopt;
  return std::pair{*port, *protocol};
}

void add_binding(container& c, std::string_view spec, std::string_view host_ip, std::string_view host_port) {
  const auto port = parse_port_spec(spec);
  if (!port) return c.refuse(spec, "not a container port");
  const auto address = net::parse_host_address(host_ip);
  if (!address) return c.refuse(host_ip, "not a host address");
  const auto number = base::parse_port(host_port);
  if (!number) return c.refuse(std::string(host_port) + " for " + std::string(spec), "not a host port");
  if (c.bindings.size() >= max_bindings) return c.refuse(spec, "too many ports");
  c.bindings.push_back({port->second, *address, *number, port->first, c.id, c.name, ports::serving::rule_and_proxy});
}

std::string_view bare_name(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return name;
}

std::string display_name(std::string_view name) { return base::printable(bare_name(name), 128); }

// Unlike json::find it distinguishes null from absent.
const json::value* member(const json::value& v, std::string_view name) {
  const auto* object = v.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

// Ports[]{IP,PrivatePort,PublicPort,Type}: a port without a PublicPort is exposed in Docker's sense, not published.
void add_listed_port(container& c, const json::value& port) {
  const auto public_port = json::find_integer(port, "PublicPort");
  if (!public_port || *public_port == 0) return;
  const auto private_port = json::find_integer(port, "PrivatePort").value_or(0);
  const auto spec = std::to_string(private_port) + "/" + std::string(json::find_string(port, "Type").value_or("tcp"));
  add_binding(c, spec, json::find_string(port, "IP").value_or(""), std::to_string(*public_port));
}

// An image's name, and Labels{"key":"value"}: of the list's element, or of Config in an answer about one container.
ports::owner_traits traits_of(const json::value& v) {
  ports::owner_traits traits;
  traits.image = json::find_string(v, "Image").value_or("");
  const auto* labels = member(v, "Labels");
  if (labels == nullptr || !labels->is_object()) return traits;
  for (const auto& [key, value] : labels->as_object())
    if (value.is_string()) traits.labels.push_back({key, std::string_view(value.as_string())});
  return traits;
}

std::string_view listed_name(const json::value& element) {
  const auto* names = json::find_array(element, "Names");
  const bool named = names != nullptr && !names->empty() && names->front().is_string();
  return named ? std::string_view(names->front().as_string()) : "";
}

// podman writes null instead of an empty list.
void add_listed(engine::container_list& list, const json::value& element) {
  const auto id = json::find_string(element, "Id");
  if (!id || !is_id(*id)) return;
  const auto* ports = member(element, "Ports");
  if (ports == nullptr || !(ports->is_array() || ports->is_null())) {
    list.unknown.insert(std::string(*id));
    return;
  }
  container c;
  c.id = std::string(*id);
  c.name = display_name(listed_name(element));
  if (ports->is_array())
    for (const auto& port : ports->as_array()) add_listed_port(c, port);
  auto traits = traits_of(element);
  traits.name = bare_name(listed_name(element));
  // The image has lost its name to another one. The answer about the container still has it.
  if (!c.bindings.empty() && traits.image.starts_with("sha256:")) {
    list.unknown.insert(c.id.str());
    return;
  }
  c.set_traits(std::move(traits));
  list.running.push_back(std::move(c));
}

// Ports{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"81/tcp":null}
void add_inspected_ports(container& c, const json::object& ports) {
  for (const auto& [spec, hosts] : ports) {
    const auto* list = hosts.if_array();
    if (list == nullptr) continue;
    for (const auto& host : *list)
      add_binding(c, spec, json::find_string(host, "HostIp").value_or(""),
                  json::find_string(host, "HostPort").value_or(""));
  }
}

struct known_event {
  std::string_view type, name;
  action what;
};
// Docker calls an end `die` and `destroy`; podman calls it `died` and `remove`, and before 4.4 had no other names.
// Docker reports `stop` after `die`: by then the container may have been started again.
constexpr known_event known_events[] = {
    {"container", "start", action::changed},
    {"container", "restart", action::changed},
    {"container", "rename", action::changed},
    {"container", "update", action::changed},
    {"container", "pause", action::changed},
    {"container", "unpause", action::changed},
    {"container", "restore", action::changed},
    {"network", "connect", action::changed},
    {"network", "disconnect", action::changed},
    {"container", "die", action::ended},
    {"container", "died", action::ended},
    {"container", "remove", action::ended},
    {"container", "destroy", action::ended},
    {"container", "stop", action::stopped},
    {"service", "create", action::service_changed},
    {"service", "update", action::service_changed},
    {"service", "remove", action::service_ended},
    {"network", "create", action::networks_changed},
    {"network", "remove", action::networks_changed},
    {"network", "destroy", action::networks_changed},
};

std::string filter_text() {
  std::set<std::string_view> types, names;
  for (const auto& [type, name, what] : known_events) {
    types.insert(type);
    names.insert(name);
  }
  const auto object = [](const auto& keys) {
    std::string text;
    for (const auto key : keys) text.append(text.empty() ? "\"" : ",\"").append(key).append("\":true");
    return "{" + text + "}";
  };
  return "{\"type\":" + object(types) + ",\"event\":" + object(names) + "}";
}

// Only swarms have such networks.
bool is_overlay(const json::value& network) {
  const auto* attributes = json::find(network, "Attributes");
  return attributes != nullptr && json::find_string(*attributes, "type") == "overlay";
}

// The actor of a network's event is the network in Docker, with the container as attribute, and the container in
// podman.
std::optional<std::string_view> subject_of(const json::value& actor) {
  const auto* attributes = json::find(actor, "Attributes");
  const auto container = attributes == nullptr ? std::nullopt : json::find_string(*attributes, "container");
  return container ? container : json::find_string(actor, "ID");
}

base::result<> add_network_settings(container& into, const json::value& document) {
  const auto* network = json::find(document, "NetworkSettings");
  const auto* ports = network == nullptr ? nullptr : member(*network, "Ports");
  if (ports == nullptr || !(ports->is_object() || ports->is_null()))
    return base::fail("the container has no list of ports");
  if (ports->is_object()) add_inspected_ports(into, ports->as_object());
  return {};
}

}  // namespace

bool is_id(std::string_view text) { return base::is_plain_name(text, 128) && !text.contains(".."); }

base::result<engine::container_list> parse_list(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  const auto* elements = document->if_array();
  if (elements == nullptr) return base::fail("expected a JSON array of containers");
  engine::container_list list;
  for (const auto& element : *elements) add_listed(list, element);
  return list;
}

base::result<std::optional<container>> parse_inspect(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  const auto id = json::find_string(*document, "Id");
  if (!id || !is_id(*id)) return base::fail("the container has no id");
  const auto* state = json::find(*document, "State");
  const auto running = state == nullptr ? std::nullopt : json::find_bool(*state, "Running");
  if (!running) return base::fail("the container has no state");
  // A paused container runs in Docker and does not in podman. Its ports are published in both.
  if (!*running && !json::find_bool(*state, "Paused").value_or(false)) return std::optional<container>();
  container c;
  c.id = std::string(*id);
  const auto name = json::find_string(*document, "Name").value_or("");
  c.name = display_name(name);
  if (auto added = add_network_settings(c, *document); !added) return std::unexpected(added.error());
  const auto* config = json::find(*document, "Config");
  auto traits = config == nullptr ? ports::owner_traits{} : traits_of(*config);
  traits.name = bare_name(name);
  c.set_traits(std::move(traits));
  return std::optional(std::move(c));
}

std::string_view events_filter() {
  static const auto text = filter_text();
  return text;
}

base::result<event> parse_event(std::string_view object) {
  const auto document = json::parse(object, event_limits);
  if (!document) return std::unexpected(document.error());
  const auto* actor = json::find(*document, "Actor");
  if (actor == nullptr) return event{};
  const auto type = json::find_string(*document, "Type").value_or("container");
  const auto name = json::find_string(*document, "Action").value_or("");
  const auto known =
      std::ranges::find_if(known_events, [&](const auto& k) { return k.type == type && k.name == name; });
  if (known == std::end(known_events)) return event{};
  if (known->what == action::networks_changed) return event{is_overlay(*actor) ? known->what : action::other, {}};
  const auto id = subject_of(*actor);
  if (!id || !is_id(*id)) return event{};
  return event{known->what, std::string(*id)};
}

std::optional<std::string> choose_version(std::string_view offered) {
  const auto dot = offered.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto major = base::parse_number<unsigned>(offered.substr(0, dot));
  const auto minor = base::parse_number<unsigned>(offered.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  const auto chosen = std::min(std::pair{*major, *minor}, newest_known);
  return std::to_string(chosen.first) + "." + std::to_string(chosen.second);
}

}  // namespace docker
