#include "protocols/port_mapping/message_codec.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "json/json.hpp"
#include "net/host_address.hpp"
#include "net/protocol.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_mapping {
namespace {

constexpr std::size_t shown_refusals = 16;
constexpr json::limits bounds{.bytes = max_message_bytes, .depth = 16};

// ---- encoding

void append_bindings(std::string& text, const std::vector<const binding*>& bindings) {
  const char* separator = "";
  for (const auto* b : bindings) {
    fmt::format_to(std::back_inserter(text), R"({}{{"HostIp":"{}","HostPort":"{}"}})", separator,
                   b->host.ip.to_string(), b->host.port);
    separator = ",";
  }
}

// Go writes the keys of a map sorted as text.
void append_ports(std::string& text, const std::vector<binding>& bindings) {
  std::map<std::string, std::vector<const binding*>> by_key;
  for (const auto& b : bindings)
    by_key[fmt::format("{}/{}", b.container_port, net::to_string(b.protocol))].push_back(&b);
  const char* separator = "";
  for (const auto& [key, members] : by_key) {
    fmt::format_to(std::back_inserter(text), R"({}"{}":[)", separator, key);
    append_bindings(text, members);
    text += ']';
    separator = ",";
  }
}

void append_connect_addresses(std::string& text, const std::vector<connect_address>& addresses) {
  if (addresses.empty()) {
    text += "null";
    return;
  }
  char separator = '[';
  for (const auto& a : addresses) {
    fmt::format_to(std::back_inserter(text), R"({}{{"network":"ip+net","addr":"{}/{}"}})", separator, a.ip.to_string(),
                   a.prefix_length);
    separator = ',';
  }
  text += ']';
}

// ---- decoding

void refuse(decoded& into, std::string_view what, std::string_view why) {
  ++into.refused_count;
  if (into.refused.size() < shown_refusals)
    into.refused.push_back(fmt::format("{}: {}", base::printable(what, 60), why));
}

// The key of `ports`, as Docker's nat.Port: "80/tcp", "80/TCP", "80".
struct port_and_protocol {
  std::uint16_t port = 0;
  net::protocol protocol = net::protocol::tcp;
};

std::expected<port_and_protocol, std::string_view> parse_port_key(std::string_view key) {
  const auto slash = key.find('/');
  const auto port = base::parse_port(key.substr(0, slash));
  if (!port) return std::unexpected("not a port");
  if (slash == std::string_view::npos) return port_and_protocol{*port, net::protocol::tcp};
  const auto protocol = net::parse_protocol(base::to_lower(key.substr(slash + 1)));
  if (!protocol) return std::unexpected("not a protocol");
  if (*protocol == net::protocol::sctp) return std::unexpected("only tcp and udp are forwarded");
  return port_and_protocol{*port, *protocol};
}

std::optional<net::address> parse_host_ip(const json::value& entry) {
  const auto* field = json::find_any_case(entry, "HostIp");
  if (field == nullptr) return net::address::any_v4();
  const auto* text = field->if_string();
  return text == nullptr ? std::nullopt : net::parse_host_address(*text);
}

std::optional<std::uint16_t> parse_host_port(const json::value& entry) {
  const auto* field = json::find_any_case(entry, "HostPort");
  const auto* text = field == nullptr ? nullptr : field->if_string();
  return text == nullptr ? std::nullopt : base::parse_port(*text);
}

void decode_binding(decoded& into, std::string_view key, port_and_protocol at, const json::value& entry) {
  if (!entry.is_object()) return refuse(into, key, "a binding is not an object");
  const auto ip = parse_host_ip(entry);
  if (!ip) return refuse(into, key, "HostIp is not an address");
  const auto port = parse_host_port(entry);
  if (!port) return refuse(into, key, "HostPort is not a port");
  into.accepted.bindings.push_back({at.protocol, at.port, {*ip, *port}});
}

base::result<> decode_ports(decoded& into, const json::object& members) {
  std::size_t count = 0;
  for (const auto& [key, list] : members) {
    const auto* entries = list.if_array();
    if (list.is_null()) continue;
    if (entries == nullptr) {
      refuse(into, key, "not a list of bindings");
      continue;
    }
    count += entries->size();
    if (count > max_message_bindings) return base::fail(std::errc::message_size, "port mapping: bindings");
    const auto at = parse_port_key(key);
    if (!at)
      refuse(into, key, at.error());
    else
      for (const auto& entry : *entries) decode_binding(into, key, *at, entry);
  }
  return {};
}

std::optional<connect_address> parse_connect_address(std::string_view text) {
  const auto slash = text.find('/');
  const auto ip = net::address::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  const unsigned all_bits = ip->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return connect_address{*ip, all_bits};
  const auto bits = base::parse_number<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > all_bits) return std::nullopt;
  return connect_address{*ip, *bits};
}

void decode_connect_address(decoded& into, const json::value& entry) {
  const auto* field = json::find_any_case(entry, "addr");
  const auto* text = field == nullptr ? nullptr : field->if_string();
  if (text == nullptr) return refuse(into, "connectAddrs", "an entry without an address");
  const auto address = parse_connect_address(*text);
  if (!address) return refuse(into, *text, "not an address of connectAddrs");
  into.accepted.connect_addresses.push_back(*address);
}

}  // namespace

std::string encode(const message& m) {
  std::string text = m.remove ? R"({"remove":true,"ports":{)" : R"({"remove":false,"ports":{)";
  append_ports(text, m.bindings);
  text += R"(},"connectAddrs":)";
  append_connect_addresses(text, m.connect_addresses);
  return text + "}\n";
}

base::result<decoded> decode(std::string_view document) {
  const auto parsed = json::parse(document, bounds);
  if (!parsed) return std::unexpected(parsed.error());
  if (!parsed->is_object()) return base::fail("port mapping: not an object");
  decoded into;
  if (const auto* remove = json::find_any_case(*parsed, "remove")) {
    if (!remove->is_bool()) return base::fail("port mapping: remove is not a boolean");
    into.accepted.remove = remove->get_bool();
  }
  if (const auto* ports = json::find_any_case(*parsed, "ports")) {
    if (!ports->is_object()) return base::fail("port mapping: ports is not an object");
    if (auto done = decode_ports(into, ports->get_object()); !done) return std::unexpected(done.error());
  }
  if (const auto* addresses = json::find_any_case(*parsed, "connectAddrs")) {
    if (!addresses->is_array()) return base::fail("port mapping: connectAddrs is not a list");
    for (const auto& entry : addresses->get_array()) decode_connect_address(into, entry);
  }
  return into;
}

}  // namespace port_mapping
