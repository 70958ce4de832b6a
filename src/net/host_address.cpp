#include "net/host_address.hpp"

#include <optional>
#include <string_view>

#include "net/address.hpp"

namespace net {

std::optional<address> parse_host_address(std::string_view text) {
  if (text.empty()) return address::any_v4();
  if (text == "localhost") return address::loopback_v4();
  return address::parse(text);
}

}  // namespace net
