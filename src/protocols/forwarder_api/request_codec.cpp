#include "programs/host_switch/request_codec.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <optional>

#include "base/text.hpp"
#include "json/json.hpp"

namespace host_switch {
namespace {

constexpr json::limits request_limits{.bytes = 64 << 10, .depth = 16};

// What Go's error texts call it.
std::string_view kind_of(const json::value& v) {
  if (v.is_string()) return "string";
  if (v.is_bool()) return "bool";
  if (v.is_array()) return "array";
  return v.is_object() ? "object" : "number";
}

struct member {
  std::string_view name;
  std::string_view go_type;
  std::string forward_request::* text;
};
constexpr member local{"local", "string", &forward_request::local};
constexpr member remote{"remote", "string", &forward_request::remote};
constexpr member protocol{"protocol", "types.TransportProtocol", &forward_request::protocol};

base::result<forward_request> parse(std::string_view go_struct, std::initializer_list<member> members,
                                    std::string_view body) {
  if (base::trim(body).empty()) return base::fail("EOF");
  const auto document = json::parse_first(body, request_limits);
  if (!document) return std::unexpected(document.error());
  if (!document->is_object() && !document->is_null())
    return base::fail(
        fmt::format("json: cannot unmarshal {} into Go value of type types.{}", kind_of(*document), go_struct));
  forward_request made;
  for (const auto& m : members) {
    const auto* value = json::find_any_case(*document, m.name);
    if (value == nullptr) continue;
    if (!value->is_string())
      return base::fail(fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", kind_of(*value),
                                    go_struct, m.name, m.go_type));
    made.*m.text = value->get_string();
  }
  if (made.protocol.empty()) made.protocol = "tcp";
  return made;
}

base::error missing_port(std::string_view address) {
  const auto name = address.empty() ? std::string() : "address " + base::printable(address) + ": ";
  return {{}, name + "missing port in address"};
}

// "[::1]:80" has one text for each port, but for the spelling of an IPv6 address, whose length is bounded.
std::optional<net::endpoint> parse_exact_port(std::string_view text) {
  const auto parsed = net::parse_endpoint(text);
  if (!parsed || parsed->port == 0 || text[text.rfind(':') + 1] == '0') return std::nullopt;
  return parsed;
}

}  // namespace

base::result<forward_request> parse_expose(std::string_view body) {
  return parse("ExposeRequest", {local, remote, protocol}, body);
}
base::result<forward_request> parse_unexpose(std::string_view body) {
  return parse("UnexposeRequest", {local, protocol}, body);
}

std::string encode_all(const std::vector<forward_request>& forwards) {
  json::array list;
  for (const auto& f : forwards) list.push_back({{"local", f.local}, {"remote", f.remote}, {"protocol", f.protocol}});
  return json::serialize(list) + "\n";
}

base::result<std::string> complete_remote(std::string_view given, std::string_view caller) {
  const auto colon = given.rfind(':');
  if (colon == std::string_view::npos || given.ends_with(']')) return std::unexpected(missing_port(given));
  if (colon == 0) return std::string(caller) + std::string(given);
  return std::string(given);
}

base::result<net::endpoint> parse_local(std::string_view text) {
  if (text.rfind(':') == std::string_view::npos) return std::unexpected(missing_port(text));
  const auto parsed = parse_exact_port(text);
  if (!parsed) return base::fail("address " + base::printable(text) + ": not an address and a port");
  return *parsed;
}

base::result<net::endpoint> parse_remote(std::string_view text) {
  const auto parsed = parse_exact_port(text);
  if (!parsed || !parsed->ip.is_v4() || parsed->ip.is_unspecified()) return base::fail("invalid remote addr");
  return *parsed;
}

base::result<forward_request> parse_static_forward(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return base::fail("not of the form Host:Port=Guest:Port");
  forward_request made{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)), "tcp"};
  if (auto listen = parse_local(made.local); !listen) return std::unexpected(listen.error());
  if (!parse_remote(made.remote)) return base::fail("the guest's side must be an IPv4 address and a port");
  return made;
}

}  // namespace host_switch
