// server_address: where an HTTP server is: the path of a UNIX socket, or a host and a port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace http {

struct server_address {
  std::string path{};  // set: a UNIX socket
  std::string host{};  // otherwise: a name or a numeric address
  std::uint16_t port = 80;
  bool operator==(const server_address&) const = default;
};

// "http://host[:port]", "tcp://host:port", "unix:///path"; an error names what is wrong with the text.
[[nodiscard]] base::result<server_address> parse_server_address(std::string_view url);
[[nodiscard]] std::string to_string(const server_address& address);

}  // namespace http
