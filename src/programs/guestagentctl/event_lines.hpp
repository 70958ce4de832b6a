// event_lines: the command `events`, which follows a running agent and survives its restart.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {

// One JSON object in a line for each change, until interrupted; first what is open and in conflict now. Fails when the
// agent is away for longer than the request's time, and when the reader has gone.
async::task<base::result<int>> print_events(const request& r);

}  // namespace guestagentctl
