// message_codec: the PortMapping message on the wire: the JSON that Go's encoding/json makes of a struct with a
// nat.PortMap, and a newline. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_mapping {

// One document with its newline, the keys in Go's order:
// {"remove":false,"ports":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]},"connectAddrs":null}
// Each binding takes less than 128 bytes, and so does each connect address.
[[nodiscard]] std::string encode(const message& m);

// Bounds of a received message: a larger one is refused as a whole.
inline constexpr std::size_t max_message_bytes = 8 << 20;
inline constexpr std::size_t max_message_bindings = 4 * 65'536;

struct decoded {
  message accepted;
  std::vector<std::string> refused;  // "70000/tcp: not a port": ready for the log; the first few only
  std::size_t refused_count = 0;     // all of them
};

// Reads one document. Lists may be null or absent, the protocol may be in either case or absent (tcp), an empty HostIp
// is the IPv4 wildcard, unknown fields are ignored. An invalid binding is refused alone. Fails if the document is not a
// JSON object, if a field has the wrong type, or if a bound is exceeded.
[[nodiscard]] base::result<decoded> decode(std::string_view document);

}  // namespace port_mapping
