#include "os/end_watch.hpp"

#include <sys/epoll.h>

#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"

namespace os {

base::result<end_watch> end_watch::open(const async::executor& where, int fd, end_of what) {
  async::asio::posix::stream_descriptor epoll(where);
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) return base::fail_errno("epoll_create1");
  epoll.assign(set);
  epoll_event event{};
  event.events = what == end_of::reading ? EPOLLRDHUP : 0;  // EPOLLHUP and EPOLLERR are always reported
  if (::epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) return base::fail_errno("watch for the end");
  return end_watch(std::move(epoll));
}

async::task<> end_watch::ended() {
  epoll_event event{};
  while (::epoll_wait(epoll_.native_handle(), &event, 1, 0) <= 0) {
    co_await epoll_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  }
}

}  // namespace os
