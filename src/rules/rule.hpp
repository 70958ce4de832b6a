// rule: one entry of the rules file: which ports it is about, and what becomes of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "net/address.hpp"
#include "rules/conditions.hpp"

namespace rules {

struct port_offset {
  int by = 0;
  bool operator==(const port_offset&) const = default;
};

// Which port of the host it becomes: one number for one port, a range for a range of the same size, or as many ports
// higher or lower.
using host_port = std::variant<std::uint16_t, port_range, port_offset>;

// The port of the host that a port of `from` becomes, or nullopt outside of 1 to 65535. `from` is the rule's range.
[[nodiscard]] std::optional<std::uint16_t> map_port(const host_port& to, const port_range& from, std::uint16_t port);

// None of them set, apart from the note: the port is forwarded as it was published.
struct actions {
  bool ignore = false;  // then no other is set, apart from the note
  std::optional<net::address> host_address{};
  std::optional<rules::host_port> host_port{};
  std::optional<std::vector<std::string>> peers{};  // only at these
  std::string note{};                               // for people

  bool operator==(const actions&) const = default;
};

struct rule {
  conditions when;
  actions then;

  bool operator==(const rule&) const = default;
};

}  // namespace rules
