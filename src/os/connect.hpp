// connect: the one place outside the data plane that connects stream sockets. The caller owns the socket, which is
// non-blocking and close-on-exec. Every error has the kernel's code and the context "connect ADDRESS".
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"

namespace os {

// Connects before `deadline`, or fails with timed_out. The full queue of a UNIX socket gives no event when it has room
// again: the call tries every 20 ms. Fails with connection_refused where a TCP socket met itself: the kernel may choose
// a free port as the source port of a connection to that very port. Cancelled: throws operation_aborted.
async::task<base::result<base::unique_fd>> connect_to(net::stream_address to, async::clock::time_point deadline);

// Connects to a UNIX socket without waiting. The full queue of a live server is resource_unavailable_try_again.
[[nodiscard]] base::result<base::unique_fd> connect_now(const net::unix_path& to);

// Whether a socket is connected to itself. It means that nothing listens at the address. The close of a TCP socket then
// resets the connection: an orderly end would keep the port from its server for a minute.
[[nodiscard]] bool reset_if_self_connected(int fd);

}  // namespace os
