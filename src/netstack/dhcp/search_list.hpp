// search_list: domain search names as the content of DHCP option 119 (RFC 3397): names of RFC 1035, and where a name ends
// like an earlier one, a pointer to it. Owned by the server. A name that is none is left out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "netstack/bytes.hpp"

namespace netstack::dhcp {

class search_list {
 public:
  // More names than this are left out.
  static constexpr std::size_t most_names = 32;

  search_list() = default;
  // "example.org", with or without a dot at the end.
  explicit search_list(std::span<const std::string> names);

  // As many names as fit into `room` bytes, the first ones first.
  [[nodiscard]] bytes_view within(std::size_t room) const;

 private:
  struct suffix {
    std::string text;
    std::uint16_t at;
  };

  void add(std::string_view name, std::vector<suffix>& known);

  std::vector<std::uint8_t> bytes_;
  std::vector<std::size_t> ends_;  // of each name in bytes_
};

}  // namespace netstack::dhcp
