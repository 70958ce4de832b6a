// connection_watch: detects the end of a connection that another process reads and writes. Data does not wake it.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>

#include "async/task.hpp"
#include "base/result.hpp"

namespace network_setup {

class connection_watch {
 public:
  // `connection` must stay open for the lifetime of this object.
  static base::result<connection_watch> open(const async::executor& where, int connection);

  // Returns when the peer has closed it, or our side has shut it down. Cancelled: throws operation_aborted.
  async::task<> ended();

 private:
  explicit connection_watch(async::asio::posix::stream_descriptor epoll) : epoll_(std::move(epoll)) {}

  async::asio::posix::stream_descriptor epoll_;  // reports only the end
};

}  // namespace network_setup
