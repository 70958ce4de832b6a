#include "json/json.hpp"

#include <boost/json/src.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "base/result.hpp"
#include "base/text.hpp"

namespace json {
namespace {

base::result<value> parse_with(std::string_view text, limits bounds, bool whole) {
  if (text.size() > bounds.bytes)
    return base::fail(std::errc::message_size, "JSON of " + std::to_string(text.size()) + " bytes");
  boost::json::parse_options options;
  options.max_depth = bounds.depth;
  boost::json::stream_parser parser({}, options);
  boost::system::error_code ec;
  const std::size_t used = parser.write_some(text.data(), text.size(), ec);
  if (!ec && !parser.done()) parser.finish(ec);
  if (ec) return base::fail("JSON: " + ec.message() + " at byte " + std::to_string(used));
  if (whole && !base::trim(text.substr(used)).empty())
    return base::fail("JSON: extra data at byte " + std::to_string(used));
  return parser.release();
}

const value* present(const value* v) { return v == nullptr || v->is_null() ? nullptr : v; }

}  // namespace

base::result<value> parse(std::string_view text, limits bounds) { return parse_with(text, bounds, true); }
base::result<value> parse_first(std::string_view text, limits bounds) { return parse_with(text, bounds, false); }

const value* find(const value& v, std::string_view name) {
  const auto* members = v.if_object();
  return members == nullptr ? nullptr : present(members->if_contains(name));
}

const value* find_any_case(const value& v, std::string_view name) {
  const auto* members = v.if_object();
  if (members == nullptr) return nullptr;
  const auto wanted = base::to_lower(name);
  const value* last = nullptr;
  for (const auto& member : *members)
    if (!member.value().is_null() && base::to_lower(member.key()) == wanted) last = &member.value();
  return last;
}

const array* find_array(const value& v, std::string_view name) {
  const auto* found = find(v, name);
  return found == nullptr ? nullptr : found->if_array();
}

std::optional<std::string_view> find_string(const value& v, std::string_view name) {
  const auto* found = find(v, name);
  const auto* text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? std::nullopt : std::optional<std::string_view>(*text);
}

std::optional<bool> find_bool(const value& v, std::string_view name) {
  const auto* found = find(v, name);
  const auto* flag = found == nullptr ? nullptr : found->if_bool();
  return flag == nullptr ? std::nullopt : std::optional<bool>(*flag);
}

std::optional<std::int64_t> find_integer(const value& v, std::string_view name) {
  const auto* found = find(v, name);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  boost::system::error_code ec;
  const auto number = found->to_number<std::int64_t>(ec);
  return ec ? std::nullopt : std::optional<std::int64_t>(number);
}

}  // namespace json
