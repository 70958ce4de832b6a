#include "json/members.hpp"

#include <string>
#include <string_view>

#include "json/json.hpp"

namespace json {

void add_text(object& to, std::string_view name, const std::string& text) {
  if (!text.empty()) to[name] = text;
}

std::string text_of(const value& v, std::string_view name) { return std::string(find_string(v, name).value_or("")); }

}  // namespace json
