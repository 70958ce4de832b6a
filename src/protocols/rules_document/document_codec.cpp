#include "protocols/rules_document/document_codec.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"
#include "protocols/rules_document/document.hpp"

namespace rules_document {
namespace {

json::array encode_rules(const std::vector<rule>& rules) {
  json::array list;
  list.reserve(rules.size());
  for (const auto& r : rules) {
    json::object o{{"text", r.text}};
    if (r.line != 0) o["line"] = r.line;
    if (r.ports) o["ports"] = *r.ports;
    list.push_back(std::move(o));
  }
  return list;
}

std::string text_of(const json::value& v, std::string_view name) {
  return std::string(json::find_string(v, name).value_or(""));
}

std::optional<std::uint64_t> number_of(const json::value& v, std::string_view name) {
  const auto number = json::find_integer(v, name);
  return number && *number >= 0 ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
}

std::vector<rule> decode_rules(const json::value& v, std::string_view name) {
  std::vector<rule> rules;
  const auto* list = json::find_array(v, name);
  if (list == nullptr) return rules;
  for (const auto& item : *list)
    if (item.is_object())
      rules.push_back({text_of(item, "text"), number_of(item, "line").value_or(0), number_of(item, "ports")});
  return rules;
}

}  // namespace

std::string encode(const document& d) {
  json::object o{{"file", d.file}};
  if (!d.trouble.empty()) o["trouble"] = d.trouble;
  if (!d.warnings.empty()) o["warnings"] = json::array(d.warnings.begin(), d.warnings.end());
  o["rules"] = encode_rules(d.rules);
  o["built_in"] = encode_rules(d.built_in);
  return json::serialize(o);
}

base::result<document> decode(std::string_view text) {
  const auto parsed = json::parse(text, {.bytes = max_document_bytes});
  if (!parsed) return std::unexpected(parsed.error());
  if (!parsed->is_object()) return base::fail("not a JSON object");
  document d{.file = text_of(*parsed, "file"),
             .trouble = text_of(*parsed, "trouble"),
             .warnings = {},
             .rules = decode_rules(*parsed, "rules"),
             .built_in = decode_rules(*parsed, "built_in")};
  if (const auto* warnings = json::find_array(*parsed, "warnings"))
    for (const auto& w : *warnings)
      if (w.is_string()) d.warnings.emplace_back(w.as_string());
  return d;
}

}  // namespace rules_document
