#include "ports/owner_traits.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shared_text.hpp"
#include "base/text.hpp"

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
  const auto label = std::string(key) + "=" + std::string(value);
  if (key.empty() || key.contains('=') || !fits(text, label)) return false;
  text += label;
  text += separator;
  return true;
}

}  // namespace

encoded_traits encode_traits(owner_traits traits) {
  if (traits.space.empty() && traits.image.empty() && traits.labels.empty()) return {};
  std::ranges::sort(traits.labels, {}, [](const rules::label& l) { return std::pair(l.key, l.value); });
  std::string text;
  bool complete = append(text, traits.space);
  complete = append(text, traits.image) && complete;
  for (const auto& [key, value] : traits.labels) complete = append_label(text, key, value) && complete;
  return {std::move(text), complete};
}

owner_traits decode_traits(const base::shared_text& text) {
  owner_traits traits;
  if (text.empty()) return traits;
  const auto parts = base::split(text.str(), separator);
  traits.space = parts[0];
  if (parts.size() > 1) traits.image = parts[1];
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const auto middle = parts[i].find('=');
    if (middle == std::string_view::npos) continue;
    traits.labels.push_back({parts[i].substr(0, middle), parts[i].substr(middle + 1)});
  }
  return traits;
}

}  // namespace ports
