#include "os/readable.hpp"

#include <fcntl.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>

#include "async/task.hpp"

namespace os {
namespace {

constexpr std::chrono::milliseconds pause{100};  // until the process may have a descriptor again

}  // namespace

async::task<> readable(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  for (; copy < 0; copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0)) co_await async::sleep_for(pause);
  async::asio::posix::stream_descriptor stream(co_await async::asio::this_coro::executor, copy);
  co_await stream.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
}

}  // namespace os
