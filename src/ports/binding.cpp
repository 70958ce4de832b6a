#include "ports/binding.hpp"

#include <array>

namespace ports {
namespace {

constexpr std::array<std::string_view, source_count> names{"docker",   "containerd", "kubernetes",
                                                           "iptables", "listeners",  "static"};

}  // namespace

std::string_view to_string(source_id id) { return names.at(static_cast<std::size_t>(id)); }

std::optional<source_id> parse_source(std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) return static_cast<source_id>(i);
  return std::nullopt;
}

std::string to_string(const port_key& key) {
  const auto ip = key.address.to_string();
  return std::string(net::to_string(key.protocol)) + " " + (key.address.is_v6() ? "[" + ip + "]" : ip) + ":" +
         std::to_string(key.port);
}

net::address host_address_for(const net::address& asked) {
  return asked.is_unspecified() ? net::address::any_v4() : net::address::loopback_v4();
}

port_key host_key(const binding& b) { return {b.protocol, host_address_for(b.host_address), b.host_port}; }

}  // namespace ports
