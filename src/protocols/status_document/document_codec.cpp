#include "protocols/status_document/document_codec.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"
#include "json/members.hpp"
#include "protocols/status_document/document.hpp"

namespace status_document {
namespace {

using json::add_number;
using json::add_text;
using json::decode_all;
using json::encode_all;
using json::number_of;
using json::text_of;

json::object encode_refusal(const refusal& r) {
  json::object o{{"owner", r.owner}, {"what", r.what}, {"why", r.why}};
  add_text(o, "kind", r.kind);
  return o;
}

json::object encode_container(const container& c) { return {{"owner", c.owner}, {"name", c.name}}; }

json::object encode_source(const source& s) {
  json::object o{{"name", s.name}, {"state", s.state}};
  add_text(o, "reason", s.reason);
  o["bindings"] = s.bindings;
  o["refusals"] = encode_all(s.refusals, encode_refusal);
  if (!s.without_ports.empty()) o["without_ports"] = encode_all(s.without_ports, encode_container);
  if (s.more_without_ports > 0) o["more_without_ports"] = s.more_without_ports;
  return o;
}

json::object encode_peer(const peer& p) {
  json::object o{{"name", p.name}, {"state", p.state}};
  add_text(o, "reason", p.reason);
  add_number(o, "retry_in_ms", p.retry_in_ms);
  o["applied"] = p.applied;
  return o;
}

json::object encode_claim(const claim& c) {
  return {{"source", c.source},
          {"owner", c.owner},
          {"name", c.name},
          {"address", c.address},
          {"container_port", c.container_port}};
}

json::object encode_peer_port(const peer_port& p) {
  json::object o{{"name", p.name}, {"state", p.state}};
  add_text(o, "reason", p.reason);
  add_text(o, "since", p.since);
  add_number(o, "retry_in_ms", p.retry_in_ms);
  return o;
}

// A leftover has only the fields that the peers know.
void add_owner(json::object& o, const port& p) {
  o["source"] = p.source;
  add_number(o, "container_port", p.container_port);
  add_text(o, "owner", p.owner);
  add_text(o, "name", p.name);
}

json::object encode_port(const port& p) {
  const bool leftover = p.decision == leftover_decision;
  json::object o{{"protocol", p.protocol}, {"address", p.address}, {"port", p.number}};
  add_number(o, "guest_port", p.guest_port);
  add_text(o, "guest_address", p.guest_address);
  if (!leftover) {
    add_number(o, "container_port", p.container_port);
    o["source"] = p.source;
    o["owner"] = p.owner;
    o["name"] = p.name;
  }
  o["decision"] = p.decision;
  add_text(o, "reason", p.reason);
  add_text(o, "rule", p.rule);
  o["claims"] = encode_all(p.claims, encode_claim);
  if (leftover) add_owner(o, p);
  o["peers"] = encode_all(p.peers, encode_peer_port);
  return o;
}

refusal decode_refusal(const json::value& v) {
  return {text_of(v, "owner"), text_of(v, "what"), text_of(v, "why"), text_of(v, "kind")};
}

container decode_container(const json::value& v) { return {text_of(v, "owner"), text_of(v, "name")}; }

source decode_source(const json::value& v) {
  return {text_of(v, "name"),
          text_of(v, "state"),
          text_of(v, "reason"),
          number_of<std::uint64_t>(v, "bindings").value_or(0),
          decode_all(v, "refusals", decode_refusal),
          decode_all(v, "without_ports", decode_container),
          number_of<std::uint64_t>(v, "more_without_ports").value_or(0)};
}

peer decode_peer(const json::value& v) {
  return {text_of(v, "name"), text_of(v, "state"), text_of(v, "reason"), number_of<std::int64_t>(v, "retry_in_ms"),
          number_of<std::uint64_t>(v, "applied").value_or(0)};
}

claim decode_claim(const json::value& v) {
  return {text_of(v, "source"), text_of(v, "owner"), text_of(v, "name"), text_of(v, "address"),
          number_of<std::uint16_t>(v, "container_port").value_or(0)};
}

peer_port decode_peer_port(const json::value& v) {
  return {text_of(v, "name"), text_of(v, "state"), text_of(v, "reason"), text_of(v, "since"),
          number_of<std::int64_t>(v, "retry_in_ms")};
}

port decode_port(const json::value& v) {
  return {text_of(v, "protocol"),
          text_of(v, "address"),
          number_of<std::uint16_t>(v, "port").value_or(0),
          number_of<std::uint16_t>(v, "guest_port"),
          text_of(v, "guest_address"),
          number_of<std::uint16_t>(v, "container_port"),
          text_of(v, "source"),
          text_of(v, "owner"),
          text_of(v, "name"),
          text_of(v, "decision"),
          text_of(v, "reason"),
          text_of(v, "rule"),
          decode_all(v, "claims", decode_claim),
          decode_all(v, "peers", decode_peer_port)};
}

}  // namespace

std::string encode(const document& d) {
  json::object o{{"version", d.version}, {"mode", d.mode}, {"started", d.started}, {"now", d.now}};
  add_text(o, "rules_trouble", d.rules_trouble);
  o["sources"] = encode_all(d.sources, encode_source);
  o["peers"] = encode_all(d.peers, encode_peer);
  o["ports"] = encode_all(d.ports, encode_port);
  return json::serialize(o);
}

base::result<document> decode(std::string_view text) {
  const auto v = json::parse(text, {.bytes = max_document_bytes});
  if (!v) return std::unexpected(v.error());
  if (!v->is_object()) return base::fail("expected a JSON object");
  return document{text_of(*v, "version"),
                  text_of(*v, "mode"),
                  text_of(*v, "started"),
                  text_of(*v, "now"),
                  text_of(*v, "rules_trouble"),
                  decode_all(*v, "sources", decode_source),
                  decode_all(*v, "peers", decode_peer),
                  decode_all(*v, "ports", decode_port)};
}

}  // namespace status_document
