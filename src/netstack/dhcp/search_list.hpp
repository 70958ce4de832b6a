// search_list: domain search names as the content of DHCP option 119 (RFC 3397): names of RFC 1035, which end with a
// pointer where they share a suffix with an earlier one. Owned by the server. Invalid names are left out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "netstack/bytes.hpp"

namespace netstack::dhcp {

class search_list {
 public:
  // Further names are left out.
  static constexpr std::size_t most_names = 32;

  search_list() = default;
  // "example.org", with or without a dot at the end.
  explicit search_list(std::span<const std::string> names);

  // As many names as fit into `room` bytes, in their order.
  [[nodiscard]] bytes_view within(std::size_t room) const;

 private:
  struct suffix {
    std::string text;
    std::uint16_t at;
  };

  void add(std::string_view name, std::vector<suffix>& known);

  std::vector<std::uint8_t> bytes_;
  std::vector<std::size_t> ends_;  // the end of each name in bytes_
};

}  // namespace netstack::dhcp
