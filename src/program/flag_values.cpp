#include "program/flag_values.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"

namespace program {
namespace {

constexpr int largest_buffer = 1 << 30;

struct duration_unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array<duration_unit, 4> duration_units{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::int64_t longest_duration = 24 * 3'600'000;

}  // namespace

base::result<net::address> ip_address(std::string_view text) {
  const auto parsed = net::address::parse(text);
  if (!parsed || parsed->is_unspecified()) return base::fail("not an IP address to connect to");
  return *parsed;
}

base::result<net::address> ipv4_address(std::string_view text) {
  const auto parsed = ip_address(text);
  if (!parsed || !parsed->is_v4()) return base::fail("not an IPv4 address");
  return parsed;
}

base::result<net::endpoint> endpoint(std::string_view text) {
  const auto parsed = net::parse_endpoint(text);
  if (!parsed || parsed->port == 0) return base::fail("not IP:PORT");
  return *parsed;
}

base::result<net::endpoint> loopback_endpoint(std::string_view text) {
  const auto parsed = endpoint(text);
  if (!parsed || !parsed->ip.is_loopback()) return base::fail("not IP:PORT on loopback");
  return parsed;
}

base::result<std::uint16_t> port(std::string_view text) {
  const auto parsed = base::parse_port(text);
  if (!parsed) return base::fail("not a port number");
  return *parsed;
}

base::result<int> buffer_size(std::string_view text) {
  const auto bytes = base::parse_number<int>(text);
  if (!bytes || *bytes < 0 || *bytes > largest_buffer) return base::fail("not a size from 0 to 1073741824");
  return *bytes;
}

base::result<std::chrono::milliseconds> duration(std::string_view text) {
  std::int64_t total = 0;
  while (!text.empty()) {
    const auto unit_at = text.find_first_not_of("0123456789");
    const auto number = base::parse_number<std::uint32_t>(text.substr(0, unit_at));
    const auto rest = unit_at == std::string_view::npos ? std::string_view() : text.substr(unit_at);
    const auto unit = std::ranges::find_if(duration_units, [&](const auto& u) { return rest.starts_with(u.name); });
    if (!number || unit == duration_units.end()) return base::fail("not a duration like 10s");
    total += *number * unit->milliseconds;
    if (total > longest_duration) return base::fail("longer than a day");
    text = rest.substr(unit->name.size());
  }
  if (total == 0) return base::fail("not a duration like 10s");
  return std::chrono::milliseconds(total);
}

base::result<std::string> path(std::string_view text) {
  if (text.empty()) return base::fail("the path is empty");
  return std::string(text);
}

base::result<std::string> absolute_path(std::string_view text) {
  if (!text.starts_with('/')) return base::fail("not an absolute path");
  return std::string(text);
}

base::result<std::string> socket_path(std::string_view text) {
  if (!net::is_unix_path(text)) return base::fail("not an absolute path that fits a socket address");
  return std::string(text);
}

base::result<std::string> own_socket_path(std::string_view text) {
  if (!text.starts_with('/') || text.size() > os::claimed_unix_path::longest_path)
    return base::fail("not an absolute path of at most " + std::to_string(os::claimed_unix_path::longest_path) +
                      " bytes");
  return std::string(text);
}

}  // namespace program
