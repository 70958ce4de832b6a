// config_codec: vtunnel's configuration file, the same on both sides of the tunnel. Pure and total: any bytes give a
// result, never an exception.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"

namespace vtunnel {

// A virtual socket's port, or the UNIX socket in its place ("unix:/run/x.sock").
using vsock_place = std::variant<std::uint32_t, std::string>;

struct tunnel {
  std::string name;
  vsock_place handshake;         // the peer listens there and identifies itself
  vsock_place data;              // the host end listens there
  net::endpoint peer;            // where the peer listens for clients in the VM
  net::stream_address upstream;  // where the host end connects to
};

// Fails if the text is not YAML, or if a value is missing, invalid, unknown, given twice or used by two tunnels. The
// error names the line and the key: "line 4: tunnel[0].peer-port: not a port".
[[nodiscard]] base::result<std::vector<tunnel>> parse_config(std::string_view text);

// The address of that port at the machine `cid`; VMADDR_CID_ANY: the address to listen on.
[[nodiscard]] net::stream_address at_cid(const vsock_place& place, std::uint32_t cid);

}  // namespace vtunnel
