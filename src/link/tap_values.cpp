#include "link/tap_values.hpp"

#include <fmt/format.h>
#include <linux/if.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/cidr.hpp"
#include "net/mac_address.hpp"

namespace links {
namespace {

constexpr std::size_t longest_name = IFNAMSIZ - 1;
// The kernel has directories of these names in /proc/sys/net/ipv4/conf.
constexpr std::array<std::string_view, 4> no_names{".", "..", "all", "default"};
constexpr std::array<std::string_view, 2> names_in_use{"lo", "veth-rd-ns"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// The kernel takes no '/', ':' and spaces, and puts a number in the place of "%d".
bool is_name_byte(char c) { return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != '%'; }

}  // namespace

base::result<std::string> tap_name(std::string_view text) {
  if (text.empty()) return base::fail("the name is empty");
  if (text.size() > longest_name) return base::fail(fmt::format("longer than {} bytes", longest_name));
  if (!std::ranges::all_of(text, is_name_byte) || is_one_of(no_names, text))
    return base::fail("not the name of an interface");
  if (is_one_of(names_in_use, text)) return base::fail("the name of another interface");
  return std::string(text);
}

base::result<net::mac_address> tap_mac(std::string_view text) {
  const auto mac = net::mac_address::parse(text);
  if (!mac || mac->is_group() || *mac == net::mac_address{}) return base::fail("not a MAC address of one interface");
  return *mac;
}

base::result<std::string> tap_subnet(std::string_view text) {
  const auto network = net::cidr::parse(text);
  if (!network || !network->network().is_v4()) return base::fail("not an IPv4 subnet like 192.168.127.0/24");
  return network->to_string();
}

base::result<std::uint16_t> tap_mtu(std::string_view text) {
  const auto bytes = base::parse_number<std::uint16_t>(text);
  if (!bytes || *bytes < least_mtu || *bytes > most_mtu)
    return base::fail(fmt::format("not a size from {} to {}", least_mtu, most_mtu));
  return *bytes;
}

base::result<std::int64_t> tap_queue_length(std::string_view text) {
  const auto packets = base::parse_number<std::int64_t>(text);
  if (!packets || *packets < 1 || *packets > most_queue_length)
    return base::fail(fmt::format("not a number from 1 to {}", most_queue_length));
  return *packets;
}

}  // namespace links
