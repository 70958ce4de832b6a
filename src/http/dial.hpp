// dial: connects to an HTTP server: to its UNIX socket, or to the first address of its host that answers.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
#include "http/server_address.hpp"

namespace http {

// `socket` is open only after success. The arguments outlive the task. The error has the code of the last address that
// was tried.
async::task<base::result<>> dial(any_stream::socket_type& socket, const server_address& address,
                                 async::clock::time_point deadline);

}  // namespace http
