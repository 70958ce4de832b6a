// veth_pair: the two interfaces between the default namespace (veth-rd-wsl, 192.168.143.2) and the engine's
// (veth-rd-ns, 192.168.143.1). Other WSL distributions reach the engine's ports through them (wsl-proxy).
#pragma once

#include "base/result.hpp"

namespace network_setup {

// Removes a left-over pair first. On success both interfaces are up and have their addresses.
base::result<> make_veth_pair(int engine_namespace);
// Removing a pair that does not exist succeeds.
base::result<> remove_veth_pair();

}  // namespace network_setup
