#include "os/connect.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"
#include "os/begin_connect.hpp"

namespace os {
namespace {

using descriptor = async::asio::posix::stream_descriptor;

constexpr std::chrono::milliseconds full_queue_pause{20};

std::string context_of(const net::stream_address& to) { return "connect " + net::to_string(to); }

base::result<base::unique_fd> open_socket(const net::stream_address& to) {
  if (!net::fits(to)) return base::fail(std::errc::filename_too_long, context_of(to));
  base::unique_fd fd(::socket(net::to_sockaddr(to).storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno(context_of(to));
  return fd;
}

// The outcome of a connection under way; EINPROGRESS: none so far.
int outcome_of(int fd) {
  pollfd now{fd, POLLOUT, 0};
  if (::poll(&now, 1, 0) == 0) return EINPROGRESS;
  int error_number = 0;
  socklen_t size = sizeof error_number;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size);
  return error_number;
}

// The reactor gets the socket only now: it would report one that does not connect yet as hung up.
async::task<base::result<base::unique_fd>> wait_for_outcome(base::unique_fd fd, std::string context) {
  descriptor watched(co_await async::asio::this_coro::executor);
  boost::system::error_code failed;
  static_cast<void>(watched.assign(fd.get(), failed));
  if (failed) co_return base::fail(static_cast<std::error_code>(failed), context);
  static_cast<void>(fd.release());
  int error_number = EINPROGRESS;
  while (error_number == EINPROGRESS) {
    co_await watched.async_wait(descriptor::wait_write, async::nothrow);
    co_await async::check_cancelled();
    error_number = outcome_of(watched.native_handle());
  }
  if (error_number != 0) co_return base::fail(std::error_code(error_number, std::system_category()), context);
  co_return base::unique_fd(watched.release());
}

async::task<base::result<base::unique_fd>> connect_socket(net::stream_address to) {
  auto fd = open_socket(to);
  if (!fd) co_return fd;
  const auto at = net::to_sockaddr(to);
  auto error_number = begin_connect(fd->get(), at);
  while (error_number == EAGAIN || error_number == EINTR) {
    if (error_number == EAGAIN) co_await async::sleep_for(full_queue_pause);
    error_number = begin_connect(fd->get(), at);
  }
  if (error_number == EINPROGRESS || error_number == EALREADY) {
    fd = co_await wait_for_outcome(std::move(*fd), context_of(to));
    if (!fd) co_return fd;
  } else if (error_number != 0 && error_number != EISCONN) {
    co_return base::fail(std::error_code(error_number, std::system_category()), context_of(to));
  }
  if (reset_if_self_connected(fd->get())) co_return base::fail(std::errc::connection_refused, context_of(to));
  co_return fd;
}

}  // namespace

bool reset_if_self_connected(int fd) {
  net::socket_address own, peer;
  if (::getsockname(fd, own.get(), &own.size) != 0 || ::getpeername(fd, peer.get(), &peer.size) != 0) return false;
  const auto here = net::from_sockaddr(own);
  if (!here || here != net::from_sockaddr(peer)) return false;
  const linger now{1, 0};
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
  return true;
}

async::task<base::result<base::unique_fd>> connect_to(net::stream_address to, async::clock::time_point deadline) {
  const auto context = context_of(to);
  auto connected = co_await async::until(deadline, connect_socket(std::move(to)));
  if (!connected && connected.error().code == std::errc::timed_out) co_return base::fail(std::errc::timed_out, context);
  co_return connected;
}

base::result<base::unique_fd> connect_now(const net::unix_path& to) {
  auto fd = open_socket(to);
  if (!fd) return fd;
  const auto at = net::to_sockaddr(net::stream_address(to));
  auto error_number = begin_connect(fd->get(), at);
  while (error_number == EINTR) error_number = begin_connect(fd->get(), at);
  if (error_number == 0) return fd;
  return base::fail(std::error_code(error_number, std::system_category()), context_of(to));
}

}  // namespace os
