#include "protocols/rules_document/document_codec.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"
#include "json/members.hpp"
#include "protocols/rules_document/document.hpp"

namespace rules_document {
namespace {

using json::text_of;

json::object encode_rule(const rule& r) {
  json::object o{{"text", r.text}};
  if (r.line != 0) o["line"] = r.line;
  json::add_number(o, "ports", r.ports);
  return o;
}

rule decode_rule(const json::value& v) {
  return {text_of(v, "text"), json::number_of<std::uint64_t>(v, "line").value_or(0),
          json::number_of<std::uint64_t>(v, "ports")};
}

}  // namespace

std::string encode(const document& d) {
  json::object o{{"file", d.file}};
  json::add_text(o, "trouble", d.trouble);
  if (!d.warnings.empty()) o["warnings"] = json::array(d.warnings.begin(), d.warnings.end());
  o["rules"] = json::encode_all(d.rules, encode_rule);
  o["built_in"] = json::encode_all(d.built_in, encode_rule);
  return json::serialize(o);
}

base::result<document> decode(std::string_view text) {
  const auto parsed = json::parse(text, {.bytes = max_document_bytes});
  if (!parsed) return std::unexpected(parsed.error());
  if (!parsed->is_object()) return base::fail("not a JSON object");
  document d{.file = text_of(*parsed, "file"),
             .trouble = text_of(*parsed, "trouble"),
             .warnings = {},
             .rules = json::decode_all(*parsed, "rules", decode_rule),
             .built_in = json::decode_all(*parsed, "built_in", decode_rule)};
  if (const auto* warnings = json::find_array(*parsed, "warnings"))
    for (const auto& w : *warnings)
      if (w.is_string()) d.warnings.emplace_back(w.as_string());
  return d;
}

}  // namespace rules_document
