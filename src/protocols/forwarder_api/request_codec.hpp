// The forwarder API's documents (gvisor-tap-vsock, pkg/services/forwarder), read as Go's encoding/json reads them: keys
// in any case, unknown keys ignored, null the same as absent, and whatever stands behind the first value ignored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace host_switch {

// The body of expose, and of unexpose, and an element of what `all` answers.
struct forward_request {
  std::string local;
  std::string remote;
  std::string protocol;  // "tcp" where the document has none

  auto operator<=>(const forward_request&) const = default;
};

// The error is what Go would say. An unexpose has no remote: one that is there is an unknown key.
[[nodiscard]] base::result<forward_request> parse_expose(std::string_view body);
[[nodiscard]] base::result<forward_request> parse_unexpose(std::string_view body);
[[nodiscard]] std::string encode_all(const std::vector<forward_request>& forwards);

// `remote` as it is dialled: IPv4 and a port. With an empty ip (":8080") the caller's address is put in front. The
// error says what Go's net.SplitHostPort says of a text without a port.
[[nodiscard]] base::result<std::string> complete_remote(std::string_view remote, std::string_view caller);
// An endpoint that can be dialled: IPv4, not the wildcard, not port 0.
[[nodiscard]] base::result<net::endpoint> parse_remote(std::string_view remote);
// Where `local` listens: ":port", "ip:port" or "[v6]:port". A port has no leading zeros, here and above: the text is
// the forward's key, and one port must not have any number of keys of any length.
[[nodiscard]] base::result<net::endpoint> parse_local(std::string_view local);

// One -port-forward: "127.0.0.1:2222=192.168.127.2:22".
[[nodiscard]] base::result<forward_request> parse_static_forward(std::string_view text);

}  // namespace host_switch
