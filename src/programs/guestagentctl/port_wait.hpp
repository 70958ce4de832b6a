// port_wait: the command `ports -wait`. It follows the agent's documents and, while they show the port as open over
// TCP, asks the port itself beside that. The agent may start, and start again, meanwhile.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "programs/guestagentctl/answer_check.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {

// Until the port is open and, over TCP, answers inside the VM; or is left out; or the request's time is over. Returns
// the exit code: 0 ready, or one of request.hpp; the reason is printed.
async::task<base::result<int>> wait_for_port(const request& r, answer_limits limits = {});

}  // namespace guestagentctl
