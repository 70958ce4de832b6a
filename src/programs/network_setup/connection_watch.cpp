#include "programs/network_setup/connection_watch.hpp"

#include <sys/epoll.h>

#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"

namespace network_setup {

base::result<connection_watch> connection_watch::open(const async::executor& where, int connection) {
  async::asio::posix::stream_descriptor epoll(where);
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return base::fail_errno("epoll_create1");
  epoll.assign(fd);
  epoll_event event{};
  event.events = EPOLLRDHUP;  // and EPOLLHUP and EPOLLERR, which are always reported
  if (::epoll_ctl(fd, EPOLL_CTL_ADD, connection, &event) != 0) return base::fail_errno("watch the connection");
  return connection_watch(std::move(epoll));
}

async::task<> connection_watch::ended() {
  epoll_event event{};
  while (::epoll_wait(epoll_.native_handle(), &event, 1, 0) <= 0) {
    co_await epoll_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  }
}

}  // namespace network_setup
