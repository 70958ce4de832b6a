// live_commands: the commands that follow a running agent, and that survive its restart.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {

// `ports -wait`: until the port is open, or the time is over. Returns the exit code: 0 open, or one of these; the reason
// is printed.
inline constexpr int exit_timeout = 3;   // it is not open
inline constexpr int exit_conflict = 4;  // and a peer reports that it is in use
inline constexpr int exit_left_out = 5;  // a rule or the policy leaves it out; returned at once
async::task<base::result<int>> wait_for_port(const request& r);

// `events`: one JSON object in a line for each change, until interrupted; first what is open and in conflict now. Fails when the agent is away for longer than
// the request's time, and when the reader has gone.
async::task<base::result<int>> print_events(const request& r);

}  // namespace guestagentctl
