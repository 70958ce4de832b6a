// acceptor: the source of a server's connections on the control thread. A listening socket is one kind; a network in
// user space can be another.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace os {

struct accepted {
  base::unique_fd fd;                   // a connected stream socket, non-blocking and close-on-exec
  std::optional<net::endpoint> peer{};  // the client's end; nullopt over a UNIX or virtual socket
};

class acceptor {
 public:
  acceptor() = default;
  acceptor(const acceptor&) = delete;
  acceptor& operator=(const acceptor&) = delete;
  virtual ~acceptor() = default;

  // Waits for the next connection. Lets other tasks run now and then, also under a flood of connections. Cancelled:
  // throws operation_aborted.
  virtual async::task<accepted> accept() = 0;
};

// Accepts one connection that waits at a listening, non-blocking socket. Skips connections that broke in the queue.
// Errors: operation_would_block if none waits; any other means that the kernel cannot provide one now, for lack of
// descriptors or memory.
// `from`: where the client's address goes.
[[nodiscard]] base::result<base::unique_fd> accept_pending(int listening, net::socket_address* from = nullptr);

inline constexpr std::chrono::milliseconds accept_pause{100};  // between two tries after such an error

// Owns the listening socket. A failure is one line in the log when it begins and one when it has passed; meanwhile
// accept() tries every accept_pause.
class socket_acceptor final : public acceptor {
 public:
  // `component`: of the log lines.
  socket_acceptor(const async::executor& where, base::unique_fd listening, std::string component);

  async::task<accepted> accept() override;

 private:
  async::asio::posix::stream_descriptor listening_;
  base::log::episode trouble_;
  unsigned accepted_ = 0;
};

}  // namespace os
