// dial: connects a socket to an HTTP server: a UNIX socket, or the first address of a host that answers.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
#include "http/server_address.hpp"

namespace http {

// `socket` is open after a success alone; both arguments outlive the task. A TCP peer that vanishes without a word is
// noticed within half a minute. Errors have the code of the last address that was tried.
async::task<base::result<>> dial(any_stream::socket_type& socket, const server_address& address,
                                 async::clock::time_point deadline);

}  // namespace http
