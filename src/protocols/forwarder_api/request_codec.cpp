#include "protocols/forwarder_api/request_codec.hpp"

#include <fmt/format.h>

#include <expected>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "http/message.hpp"
#include "json/json.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace forwarder_api {
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
  std::string forward::* text;
};
constexpr member local{"local", "string", &forward::local};
constexpr member remote{"remote", "string", &forward::remote};
constexpr member protocol{"protocol", "types.TransportProtocol", &forward::protocol};

base::result<forward> parse(std::string_view go_struct, std::initializer_list<member> members, std::string_view body) {
  if (base::trim(body).empty()) return base::fail("EOF");
  const auto document = json::parse_first(body, request_limits);
  if (!document) return std::unexpected(document.error());
  if (!document->is_object() && !document->is_null())
    return base::fail(
        fmt::format("json: cannot unmarshal {} into Go value of type types.{}", kind_of(*document), go_struct));
  forward made;
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

http::request post(std::string_view path, const json::object& body) {
  return {"POST", std::string(path), {{"Content-Type", "application/json"}}, json::serialize(body)};
}

}  // namespace

http::request encode_expose(const forward& f) {
  return post(expose_path, {{"local", f.local}, {"remote", f.remote}, {"protocol", f.protocol}});
}

http::request encode_unexpose(const forward& f) {
  return post(unexpose_path, {{"local", f.local}, {"protocol", f.protocol}});
}

base::result<forward> parse_expose(std::string_view body) {
  return parse("ExposeRequest", {local, remote, protocol}, body);
}
base::result<forward> parse_unexpose(std::string_view body) {
  return parse("UnexposeRequest", {local, protocol}, body);
}

}  // namespace forwarder_api
