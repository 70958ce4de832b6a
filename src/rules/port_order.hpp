// port_order: the first rule for a port, whatever its owner: by its number, protocol and address alone.
//
// Theory of operation: rules with the same protocol and the same address pattern are a group. Of a group only the first
// rule for each number counts, so it is cut into stretches of ports, each with its first rule. A port has eight groups
// at most, and is looked for in each. A rule adds as many stretches as there are gaps between earlier ones, and these
// are filled then: there are never more than two for each rule and address.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "net/address.hpp"
#include "net/protocol.hpp"
#include "rules/conditions.hpp"
#include "rules/rule.hpp"

namespace rules {

class port_order {
 public:
  explicit port_order(std::span<const rule> all);

  // The number of the first rule whose conditions on the port match (conditions::matches_port).
  [[nodiscard]] std::optional<std::size_t> find_first(const subject& s) const;

 private:
  struct group_key {
    std::optional<net::protocol> protocol{};              // nullopt: any
    std::optional<address_pattern::kind> address_kind{};  // the same
    net::address exact{};                                 // of kind::exact
    auto operator<=>(const group_key&) const = default;
  };
  struct stretch {
    port_range ports;
    std::size_t rule = 0;
  };
  class painter;
  using stretches = std::vector<stretch>;  // ascending, without overlaps

  static std::vector<group_key> groups_of(const conditions& c);
  [[nodiscard]] std::optional<std::size_t> find_in(const group_key& group, std::uint16_t port) const;

  std::map<group_key, stretches> groups_;
};

}  // namespace rules
