#include "netstack/dns/name.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "net/address.hpp"
#include "netstack/bytes.hpp"

namespace netstack::dns {
namespace {

std::uint8_t to_byte(char c) { return static_cast<std::uint8_t>(c); }

// The labels before `suffix`, outermost first; nullopt if the name does not end with it.
std::optional<std::vector<std::string_view>> labels_before(std::string_view wire, std::string_view suffix) {
  if (!wire.ends_with(suffix)) return std::nullopt;
  std::vector<std::string_view> labels;
  std::size_t at = 0;
  while (at + suffix.size() < wire.size()) {
    const std::size_t size = to_byte(wire[at]);
    labels.insert(labels.begin(), wire.substr(at + 1, size));
    at += 1 + size;
  }
  if (at + suffix.size() != wire.size()) return std::nullopt;
  return labels;
}

std::optional<net::address> reverse_v4(const std::vector<std::string_view>& labels) {
  std::array<std::uint8_t, 4> bytes{};
  if (labels.size() != bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = base::parse_number<std::uint8_t>(labels[i]);
    if (!byte) return std::nullopt;
    bytes[i] = *byte;
  }
  return net::address::v4(bytes.data());
}

std::optional<net::address> reverse_v6(const std::vector<std::string_view>& labels) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<std::uint8_t, 16> bytes{};
  if (labels.size() != 2 * bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto value = labels[i].size() == 1 ? digits.find(labels[i][0]) : std::string_view::npos;
    if (value == std::string_view::npos) return std::nullopt;
    bytes[i / 2] = static_cast<std::uint8_t>(std::size_t{bytes[i / 2]} << 4U | value);
  }
  return net::address::v6(bytes.data());
}

}  // namespace

std::optional<name> name::parse(bytes_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && at < most_size) {
    const std::size_t label = bytes[at];
    if (label > most_label) return std::nullopt;
    at += 1 + label;
    if (label > 0) continue;
    name parsed;
    parsed.wire_ = base::to_lower({reinterpret_cast<const char*>(bytes.data()), at});
    return parsed;
  }
  return std::nullopt;
}

std::optional<name> name::from_text(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  name made;
  made.wire_.clear();
  for (const auto label : base::split(text, '.')) {
    if (label.empty() || label.size() > most_label || !std::ranges::all_of(label, base::is_name_character))
      return std::nullopt;
    made.wire_ += static_cast<char>(label.size());
    made.wire_ += base::to_lower(label);
  }
  made.wire_ += '\0';
  if (made.wire_.size() > most_size) return std::nullopt;
  return made;
}

bool name::is_within(const name& zone) const { return labels_before(wire_, zone.wire_).has_value(); }

bytes_view name::wire() const { return {reinterpret_cast<const std::uint8_t*>(wire_.data()), wire_.size()}; }

std::optional<net::address> name::reverse_address() const {
  using namespace std::string_view_literals;
  if (const auto labels = labels_before(wire_, "\7in-addr\4arpa\0"sv)) return reverse_v4(*labels);
  if (const auto labels = labels_before(wire_, "\3ip6\4arpa\0"sv)) return reverse_v6(*labels);
  return std::nullopt;
}

}  // namespace netstack::dns
