// readable: waits for a descriptor that others own, such as an eventfd of a signal handler.
#pragma once

#include "async/task.hpp"

namespace os {

// Returns when `fd` can be read, or has failed. It stays open meanwhile. Cancelled: throws operation_aborted.
async::task<> readable(int fd);

}  // namespace os
