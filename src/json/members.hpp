// members: how documents of our own are written and read. A text or number that is empty is left out. What is missing,
// or has another type, is read as empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/json.hpp"

namespace json {

void add_text(object& to, std::string_view name, const std::string& text);
template <class T>
void add_number(object& to, std::string_view name, const std::optional<T>& number) {
  if (number) to[name] = *number;
}

[[nodiscard]] std::string text_of(const value& v, std::string_view name);
// Nothing also for a number that T cannot hold.
template <class T>
[[nodiscard]] std::optional<T> number_of(const value& v, std::string_view name) {
  const auto number = find_integer(v, name);
  return number && std::in_range<T>(*number) ? std::optional(static_cast<T>(*number)) : std::nullopt;
}

template <class T>
[[nodiscard]] array encode_all(const std::vector<T>& items, object (*encode_item)(const T&)) {
  array list;
  list.reserve(items.size());
  for (const auto& item : items) list.push_back(encode_item(item));
  return list;
}
// The members of the list `name` that are objects.
template <class T>
[[nodiscard]] std::vector<T> decode_all(const value& v, std::string_view name, T (*decode_item)(const value&)) {
  std::vector<T> items;
  const auto* list = find_array(v, name);
  if (list == nullptr) return items;
  for (const auto& item : *list)
    if (item.is_object()) items.push_back(decode_item(item));
  return items;
}

}  // namespace json
