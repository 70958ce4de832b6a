// config_codec: vtunnel's configuration file, the same on both sides of the tunnel. Pure and total: whatever the bytes
// are, there is an answer and no exception.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"

namespace vtunnel {

// A virtual socket's port, or the UNIX socket that stands for it ("unix:/run/x.sock").
using vsock_place = std::variant<std::uint32_t, std::string>;

struct tunnel {
  std::string name;
  vsock_place handshake;         // the peer listens there and says who it is
  vsock_place data;              // the host end listens there
  net::endpoint peer;            // where the peer listens for those who want to be carried to the host
  net::stream_address upstream;  // where the host end connects for them
};

// Fails where the text is no YAML of a configuration, where something is missing, no value, not known, given twice or
// to two tunnels.
// The error names the line and the key: "line 4: tunnel[0].peer-port: not a port".
[[nodiscard]] base::result<std::vector<tunnel>> parse_config(std::string_view text);

// Where that port is, seen from somebody who connects to `cid`, or, with VMADDR_CID_ANY, who listens.
[[nodiscard]] net::stream_address at_cid(const vsock_place& place, std::uint32_t cid);

}  // namespace vtunnel
