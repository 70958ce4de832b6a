// poller: epoll, with an index for each descriptor.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "base/unique_fd.hpp"
#include "tests/bench/load/load_socket.hpp"

namespace bench {

class poller {
 public:
  void watch(int fd, unsigned index, std::uint32_t events, int operation = EPOLL_CTL_ADD) {
    epoll_event e{};
    e.events = events;
    e.data.u32 = index;
    check(::epoll_ctl(epoll_.get(), operation, fd, &e), "epoll_ctl");
  }
  // How many are ready; 0 after `limit`.
  int wait(std::chrono::milliseconds limit) {
    return check(
        ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), static_cast<int>(limit.count())),
        "epoll_wait");
  }
  [[nodiscard]] unsigned ready(int i) const { return events_[static_cast<std::size_t>(i)].data.u32; }

 private:
  base::unique_fd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::array<epoll_event, 64> events_{};
};

}  // namespace bench
