// forward_address: the addresses in a forward's text, as host-switch reads them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace forwarder_api {

// `remote` as it is dialled: IPv4 and a port. With an empty address (":8080") it gets the caller's. The error says what
// Go's net.SplitHostPort says of a text without a port.
[[nodiscard]] base::result<std::string> complete_remote(std::string_view remote, std::string_view caller);
// An endpoint that can be dialled: IPv4, not the wildcard, not port 0.
[[nodiscard]] base::result<net::endpoint> parse_remote(std::string_view remote);
// Where `local` listens: ":port", "ip:port" or "[v6]:port". A port has no leading zeros, here and above: the text is
// the key of the forward, and one port must not have any number of keys of any length.
[[nodiscard]] base::result<net::endpoint> parse_local(std::string_view local);

}  // namespace forwarder_api
