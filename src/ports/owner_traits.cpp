#include "ports/owner_traits.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/shared_text.hpp"
#include "base/text.hpp"
#include "rules/conditions.hpp"
#include "rules/rules_codec.hpp"

namespace ports {
namespace {

constexpr char separator = '\0';

bool fits(const std::string& text, std::string_view more) {
  return more.find(separator) == std::string_view::npos && text.size() + more.size() < max_traits_bytes;
}

bool append(std::string& text, std::string_view more) {
  const bool good = fits(text, more);
  if (good) text += more;
  text += separator;
  return good;
}

bool append_label(std::string& text, std::string_view key, std::string_view value) {
  if (key.empty() || key.contains('=')) return true;  // no rule can name it
  const auto label = std::string(key) + "=" + std::string(value);
  if (!fits(text, label)) return false;
  text += label;
  text += separator;
  return true;
}

bool is_empty(const owner_traits& t) {
  return t.name.empty() && t.space.empty() && t.image.empty() && t.labels.empty() && t.complete;
}

// Labels for ports come first: they are what the owner itself wants.
auto rank(const rules::label& l) { return std::tuple(!l.key.starts_with(rules::port_label_prefix), l.key, l.value); }

}  // namespace

// The parts: empty or "-" if it is not complete; name; namespace; image; each label.
encoded_traits encode_traits(owner_traits traits) {
  if (is_empty(traits)) return {};
  std::ranges::sort(traits.labels, {}, rank);
  std::string text(1, separator);
  bool complete = traits.complete;
  for (const auto part : {traits.name, traits.space, traits.image}) complete = append(text, part) && complete;
  for (const auto& [key, value] : traits.labels) complete = append_label(text, key, value) && complete;
  if (!complete) text.insert(text.begin(), '-');
  return {std::move(text), complete};
}

owner_traits decode_traits(const base::shared_text& text) {
  owner_traits traits;
  if (text.empty()) return traits;
  const auto parts = base::split(text.str(), separator);
  const auto part = [&parts](std::size_t i) { return i < parts.size() ? parts[i] : std::string_view(); };
  traits.complete = part(0).empty();
  traits.name = part(1);
  traits.space = part(2);
  traits.image = part(3);
  for (std::size_t i = 4; i < parts.size(); ++i) {
    const auto middle = parts[i].find('=');
    if (middle == std::string_view::npos) continue;
    traits.labels.push_back({parts[i].substr(0, middle), parts[i].substr(middle + 1)});
  }
  return traits;
}

}  // namespace ports
