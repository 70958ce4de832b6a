#include "rules/rule_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "rules/conditions.hpp"
#include "rules/nearest_name.hpp"
#include "rules/problem.hpp"
#include "rules/rule.hpp"
#include "rules/value_reader.hpp"
#include "rules/yaml_tree.hpp"

namespace rules {

struct rule_reader::key_of_rule {
  std::string_view name;
  allowed by;  // actions: also in labels
  void (*read)(rule_reader& r, const yaml_node& value, rule& into);
};

namespace {

// Keys of Lima's port forwards, with what they are called here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> lima_keys{{{"guestPort", "port"},
                                                                                  {"guestPortRange", "port"},
                                                                                  {"guestIP", "address"},
                                                                                  {"hostPortRange", "host-port"},
                                                                                  {"hostIP", "host-address"},
                                                                                  {"proto", "protocol"}}};

std::string_view meant_by(std::string_view key, std::span<const std::string_view> known) {
  const auto* lima = std::ranges::find(lima_keys, key, &std::pair<std::string_view, std::string_view>::first);
  return lima != lima_keys.end() ? lima->second : nearest_name(key, known);
}

constexpr std::array<std::string_view, 3> other_actions{"host-address", "host-port", "peers"};

}  // namespace

std::span<const rule_reader::key_of_rule> rule_reader::table() {
  using reader = rule_reader;
  static constexpr std::array<key_of_rule, 13> keys{{
      {"port", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.ports = r.values_.read_ports(v); }},
      {"protocol", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.protocol = r.values_.read_protocol(v); }},
      {"source", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.sources = r.values_.read_names(v, r.known_.sources); }},
      {"address", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.addresses = r.values_.read_addresses(v); }},
      {"name", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.names = r.values_.read_globs(v); }},
      {"label", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.labels = r.values_.read_labels(v); }},
      {"namespace", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.namespaces = r.values_.read_globs(v); }},
      {"image", allowed::all_keys,
       [](reader& r, const yaml_node& v, rule& to) { to.when.images = r.values_.read_globs(v); }},
      {"ignore", allowed::actions,
       [](reader& r, const yaml_node& v, rule& to) { to.then.ignore = r.values_.read_truth(v); }},
      {"host-address", allowed::actions,
       [](reader& r, const yaml_node& v, rule& to) { to.then.host_address = r.values_.read_host_address(v); }},
      {"host-port", allowed::actions,
       [](reader& r, const yaml_node& v, rule& to) { to.then.host_port = r.values_.read_host_port(v); }},
      {"peers", allowed::actions,
       [](reader& r, const yaml_node& v, rule& to) { to.then.peers = r.values_.read_names(v, r.known_.peers); }},
      {"note", allowed::actions,
       [](reader& r, const yaml_node& v, rule& to) { to.then.note = r.values_.read_note(v); }},
  }};
  return keys;
}

void rule_reader::read_keys(const yaml_node& map, allowed which, rule& into) {
  const auto keys = table();
  for (std::size_t at = 0; at < map.keys.size(); ++at) {
    const auto& key = map.keys[at];
    const auto found = std::ranges::find(keys, std::string_view(key.text), &key_of_rule::name);
    if (found != keys.end() && (which == allowed::all_keys || found->by == which))
      found->read(*this, map.items[at], into);
    else if (key.is_text)
      report_unknown(key, which);
  }
}

void rule_reader::report_unknown(const yaml_key& key, allowed which) {
  std::vector<std::string_view> names, others;
  for (const auto& one : table()) (which == allowed::all_keys || one.by == which ? names : others).push_back(one.name);
  if (std::ranges::find(others, key.text) != others.end())
    return problems_.add(key.at, shown(key.text) + " is not an action", "a label gives actions for its own port alone");
  const auto meant = meant_by(key.text, names);
  problems_.add(
      key.at, "unknown key " + shown(key.text),
      meant.empty() ? fmt::format("there are {}", fmt::join(names, ", ")) : fmt::format("did you mean {}?", meant));
}

void rule_reader::check_ignore(const yaml_node& map, const actions& then) {
  if (!then.ignore) return;
  for (const auto& key : map.keys)
    if (std::ranges::find(other_actions, key.text) != other_actions.end())
      problems_.add(key.at, fmt::format("{} has no effect on an ignored port", key.text),
                    "remove it, or the key ignore");
}

void rule_reader::check_host_port(const yaml_node& map, const rule& r) {
  if (!r.then.host_port) return;
  const auto& to = *r.then.host_port;
  const auto at = map.find("host-port")->at;
  const auto from = r.when.ports.value_or(port_range{});
  if (std::holds_alternative<std::uint16_t>(to) && from.size() > 1)
    return problems_.add(at, "two ports cannot have one port of the host",
                         r.when.ports ? "write a range of the same size, or an offset like +1000"
                                      : "add port, or write an offset like +1000");
  if (const auto* range = std::get_if<port_range>(&to); range != nullptr && range->size() != from.size())
    return problems_.add(at, fmt::format("{} ports of the host for {} ports", range->size(), from.size()),
                         "give both ranges the same size, in port and in host-port");
  if (!r.when.ports) return;  // then a port that leaves the range is ignored
  if (!map_port(to, from, from.first) || !map_port(to, from, from.last))
    problems_.add(at, fmt::format("a port would leave the range 1 to {}", port_range::highest), "use a smaller offset");
}

rule rule_reader::read_rule(const yaml_node& map) {
  rule made;
  if (map.what != yaml_node::kind::map) {
    problems_.add(map.at, "a rule is a map of keys and values", "write it like {port: 80, ignore: true}");
    return made;
  }
  read_keys(map, allowed::all_keys, made);
  // A range that could not be read would look like a missing one.
  if (made.when.ports || map.find("port") == nullptr) check_host_port(map, made);
  check_ignore(map, made.then);
  return made;
}

actions rule_reader::read_actions(const yaml_node& map, std::uint16_t port) {
  rule made;
  made.when.ports = {port, port};
  read_keys(map, allowed::actions, made);
  check_host_port(map, made);
  check_ignore(map, made.then);
  return std::move(made.then);
}

}  // namespace rules
