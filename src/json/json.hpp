// JSON from outside: bounded parsing over Boost.JSON, and accessors that return nullptr or nullopt instead of throwing
// if a document has an unexpected shape. Boost.JSON itself is compiled once, here.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace json {

using boost::json::array;
using boost::json::object;
using boost::json::serialize;
using boost::json::value;

struct limits {
  std::size_t bytes = 16 << 20;
  std::size_t depth = 32;
};

// The whole of `text` as one document. An error names the byte at which parsing stopped.
[[nodiscard]] base::result<value> parse(std::string_view text, limits bounds = {});

// The first document in `text`, as Go's json.Decoder reads one; trailing bytes are ignored.
[[nodiscard]] base::result<value> parse_first(std::string_view text, limits bounds = {});

// Member `name` of `v`: nullptr if v is not an object, has no such member, or the member is null.
[[nodiscard]] const value* find(const value& v, std::string_view name);
// The same as Go's encoding/json does it: ignores ASCII case, and takes the last match that is not null.
[[nodiscard]] const value* find_any_case(const value& v, std::string_view name);

[[nodiscard]] const array* find_array(const value& v, std::string_view name);
[[nodiscard]] std::optional<std::string_view> find_string(const value& v, std::string_view name);
[[nodiscard]] std::optional<bool> find_bool(const value& v, std::string_view name);
[[nodiscard]] std::optional<std::int64_t> find_integer(const value& v, std::string_view name);  // numbers only

}  // namespace json
