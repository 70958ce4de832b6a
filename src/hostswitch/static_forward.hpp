// static_forward: a -port-forward whose port is busy on the host at the start, tried again until it is free.
#pragma once

#include "hostswitch/forwarder.hpp"
#include "io/task.hpp"

namespace hostswitch {

// Returns once the forward is there. `forwards` outlives it.
io::task<> keep_trying(forwarder* forwards, forward_request wanted);

}  // namespace hostswitch
