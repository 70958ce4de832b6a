#include "sources/docker/docker_codec.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "json/json.hpp"

namespace docker {
namespace {

using containers::container;

constexpr json::limits body_limits{.bytes = 64 << 20, .depth = 32};
constexpr std::size_t max_bindings = 200'000;  // of one container: every port of both protocols, more than once
constexpr std::pair<unsigned, unsigned> newest_known{1, 52};

// "80/tcp"; the protocol may be missing, and is tcp then, as in the engine's own parser.
std::optional<std::pair<std::uint16_t, net::protocol>> parse_port_spec(std::string_view text) {
  const auto slash = text.find('/');
  const auto port = base::parse_port(text.substr(0, slash));
  const auto protocol = slash == std::string_view::npos ? net::protocol::tcp
                                                        : net::parse_protocol(base::to_lower(text.substr(slash + 1)));
  if (!port || !protocol) return std::nullopt;
  return std::pair{*port, *protocol};
}

// An empty HostIp is the wildcard; "localhost" has never been an address to the engine but costs nothing to understand.
std::optional<net::address> parse_host_ip(std::string_view text) {
  if (text.empty()) return net::address::any_v4();
  if (text == "localhost") return net::address::loopback_v4();
  return net::address::parse(text);
}

void add_binding(container& c, std::string_view spec, std::string_view host_ip, std::string_view host_port) {
  const auto port = parse_port_spec(spec);
  if (!port) return c.refuse(spec, "not a container port");
  const auto address = parse_host_ip(host_ip);
  if (!address) return c.refuse(host_ip, "not a host address");
  const auto number = base::parse_port(host_port);
  if (!number) return c.refuse(std::string(host_port) + " for " + std::string(spec), "not a host port");
  if (c.bindings.size() >= max_bindings) return c.refuse(spec, "too many ports");
  c.bindings.push_back({port->second, *address, *number, port->first, c.id, c.name});
}

std::string display_name(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return base::printable(name, 128);
}

// Ports[]{IP,PrivatePort,PublicPort,Type}: without a PublicPort the port is exposed and not published.
void add_listed_port(container& c, const json::value& port) {
  const auto public_port = json::find_integer(port, "PublicPort");
  if (!public_port || *public_port == 0) return;
  const auto private_port = json::find_integer(port, "PrivatePort").value_or(0);
  const auto spec = std::to_string(private_port) + "/" + std::string(json::find_string(port, "Type").value_or("tcp"));
  add_binding(c, spec, json::find_string(port, "IP").value_or(""), std::to_string(*public_port));
}

std::optional<container> parse_listed(const json::value& element) {
  const auto id = json::find_string(element, "Id");
  if (!id || !is_id(*id)) return std::nullopt;
  container c;
  c.id = *id;
  const auto* names = json::find_array(element, "Names");
  if (names != nullptr && !names->empty() && names->front().is_string())
    c.name = display_name(std::string_view(names->front().as_string()));
  if (const auto* ports = json::find_array(element, "Ports"))
    for (const auto& port : *ports) add_listed_port(c, port);
  return c;
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

}  // namespace

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text.find("..") == std::string_view::npos &&
         std::ranges::all_of(text, base::is_name_character);
}

base::result<std::vector<container>> parse_list(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  const auto* elements = document->if_array();
  if (elements == nullptr) return base::fail("the list of containers is no list");
  std::vector<container> list;
  for (const auto& element : *elements)
    if (auto c = parse_listed(element)) list.push_back(std::move(*c));
  return list;
}

base::result<std::optional<container>> parse_inspect(std::string_view body) {
  const auto document = json::parse(body, body_limits);
  if (!document) return std::unexpected(document.error());
  const auto id = json::find_string(*document, "Id");
  if (!id || !is_id(*id)) return base::fail("a container without an id");
  const auto* state = json::find(*document, "State");
  if (state == nullptr || !json::find_bool(*state, "Running").value_or(false)) return std::optional<container>();
  container c;
  c.id = *id;
  c.name = display_name(json::find_string(*document, "Name").value_or(""));
  const auto* network = json::find(*document, "NetworkSettings");
  const auto* ports = network == nullptr ? nullptr : json::find_object(*network, "Ports");
  if (ports != nullptr) add_inspected_ports(c, *ports);
  return std::optional(std::move(c));
}

base::result<event> parse_event(std::string_view object) {
  const auto document = json::parse(object, {.bytes = 1 << 20, .depth = 32});
  if (!document) return std::unexpected(document.error());
  const auto* actor = json::find(*document, "Actor");
  const auto id = actor == nullptr ? std::nullopt : json::find_string(*actor, "ID");
  const auto what = json::find_string(*document, "Action").value_or("");
  event e;
  if (id && is_id(*id)) e.id = *id;
  if (e.id.empty()) return e;
  if (what == "start")
    e.what = action::start;
  else if (what == "die" || what == "stop")
    e.what = action::end;
  return e;
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
