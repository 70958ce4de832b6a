#include "os/readable.hpp"

#include <fcntl.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "async/task.hpp"

namespace os {

async::task<> readable(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  async::asio::posix::stream_descriptor stream(co_await async::asio::this_coro::executor, copy);
  co_await stream.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
}

}  // namespace os
