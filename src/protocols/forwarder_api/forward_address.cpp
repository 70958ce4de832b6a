#include "protocols/forwarder_api/forward_address.hpp"

#include <expected>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/endpoint.hpp"

namespace forwarder_api {
namespace {

base::error missing_port(std::string_view address) {
  const auto name = address.empty() ? std::string() : "address " + base::printable(address) + ": ";
  return {{}, name + "missing port in address"};
}

// "[::1]:80" has one text for each port, but for the spelling of an IPv6 address, whose length is bounded.
std::optional<net::endpoint> parse_exact_port(std::string_view text) {
  const auto parsed = net::parse_endpoint(text);
  if (!parsed || parsed->port == 0 || text[text.rfind(':') + 1] == '0') return std::nullopt;
  return parsed;
}

}  // namespace

base::result<std::string> complete_remote(std::string_view given, std::string_view caller) {
  const auto colon = given.rfind(':');
  if (colon == std::string_view::npos || given.ends_with(']')) return std::unexpected(missing_port(given));
  if (colon == 0) return std::string(caller) + std::string(given);
  return std::string(given);
}

base::result<net::endpoint> parse_local(std::string_view text) {
  if (text.rfind(':') == std::string_view::npos) return std::unexpected(missing_port(text));
  const auto parsed = parse_exact_port(text);
  if (!parsed) return base::fail("address " + base::printable(text) + ": not an address and a port");
  return *parsed;
}

base::result<net::endpoint> parse_remote(std::string_view text) {
  const auto parsed = parse_exact_port(text);
  if (!parsed || !parsed->ip.is_v4() || parsed->ip.is_unspecified()) return base::fail("invalid remote addr");
  return *parsed;
}

}  // namespace forwarder_api
