// end_watch: detects that a descriptor that others read and write has lost its peer. Data does not wake it, and the
// descriptor keeps its flags: Asio would make it non-blocking, and standard output shares that with the user's
// terminal.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>

#include "async/task.hpp"
#include "base/result.hpp"

namespace os {

enum class end_of : std::uint8_t {
  both_directions,  // a pipe without a reader; a connection that is closed
  reading,          // or the peer has only ended what it sends
};

class end_watch {
 public:
  // `fd` must stay open for the lifetime of this object. Fails with operation_not_permitted for what has no peer, such
  // as a file.
  static base::result<end_watch> open(const async::executor& where, int fd, end_of what);

  // Returns when the peer has gone, or our side has shut the connection down. Cancelled: throws operation_aborted.
  async::task<> ended();

 private:
  explicit end_watch(async::asio::posix::stream_descriptor epoll) : epoll_(std::move(epoll)) {}

  async::asio::posix::stream_descriptor epoll_;  // reports only the end
};

}  // namespace os
