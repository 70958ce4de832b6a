// live_commands: the commands that follow a running agent, and that survive its restart.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {

// `ports -wait`: until the port is open and, over TCP, answers inside the VM; or the time is over. Returns the
// exit code: 0 ready, or one of request.hpp; the reason is printed.
async::task<base::result<int>> wait_for_port(const request& r);

// `events`: one JSON object in a line for each change, until interrupted; first what is open and in conflict now. Fails
// when the agent is away for longer than the request's time, and when the reader has gone.
async::task<base::result<int>> print_events(const request& r);

}  // namespace guestagentctl
