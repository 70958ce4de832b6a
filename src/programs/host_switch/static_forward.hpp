// static_forward: a -port-forward whose port is busy on the host at the start, tried again until it is free.
#pragma once

#include "async/task.hpp"
#include "programs/host_switch/forwarder.hpp"

namespace host_switch {

// Returns once the forward is there. `forwards` outlives it.
async::task<> keep_trying(forwarder* forwards, forward_request wanted);

}  // namespace host_switch
