#include "netstack/dhcp/search_list.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "netstack/bytes.hpp"

namespace netstack::dhcp {
namespace {

constexpr std::size_t most_label = 63;
constexpr std::size_t most_name = 253;          // as text, without the dot at the end
constexpr std::uint16_t most_pointer = 0x3fff;  // RFC 1035, 4.1.4
constexpr std::uint16_t pointer_bits = 0xc000;

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > most_name || !std::ranges::all_of(name, base::is_name_character)) return false;
  return std::ranges::all_of(base::split(name, '.'),
                             [](auto label) { return !label.empty() && label.size() <= most_label; });
}

}  // namespace

search_list::search_list(std::span<const std::string> names) {
  std::vector<suffix> known;
  for (std::string_view name : names) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (!is_name(name) || ends_.size() == most_names) continue;
    add(name, known);
    ends_.push_back(bytes_.size());
  }
}

void search_list::add(std::string_view name, std::vector<suffix>& known) {
  while (!name.empty()) {
    const auto same = std::ranges::find(known, name, &suffix::text);
    if (same != known.end()) {
      bytes_.resize(bytes_.size() + 2);
      store_16(bytes_, bytes_.size() - 2, static_cast<std::uint16_t>(pointer_bits | same->at));
      return;
    }
    if (bytes_.size() <= most_pointer) known.push_back({std::string(name), static_cast<std::uint16_t>(bytes_.size())});
    const auto label = name.substr(0, name.find('.'));
    bytes_.push_back(static_cast<std::uint8_t>(label.size()));
    bytes_.insert(bytes_.end(), label.begin(), label.end());
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  bytes_.push_back(0);
}

bytes_view search_list::within(std::size_t room) const {
  std::size_t fits = 0;
  for (const auto end : ends_)
    if (end <= room) fits = end;
  return bytes_view(bytes_).first(fits);
}

}  // namespace netstack::dhcp
