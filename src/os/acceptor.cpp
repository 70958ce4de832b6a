#include "os/acceptor.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <expected>
#include <optional>
#include <system_error>
#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace os {
namespace {

using descriptor = async::asio::posix::stream_descriptor;

constexpr unsigned turn = 64;    // connections before other tasks have their turn
constexpr int most_broken = 64;  // failed connections in a row, before the failure counts as the socket's

// accept(2) passes on errors of the one connection that it was about to return.
bool concerns_one_connection(int error_number) {
  static constexpr std::array kinds{ECONNABORTED, EINTR, EPROTO, ENETDOWN, ENETUNREACH, EHOSTUNREACH, EPERM};
  return std::ranges::find(kinds, error_number) != kinds.end();
}

std::optional<net::endpoint> peer_of(int fd) {
  net::socket_address peer;
  if (::getpeername(fd, peer.get(), &peer.size) != 0) return std::nullopt;
  return net::from_sockaddr(peer);
}

}  // namespace

base::result<base::unique_fd> accept_pending(int listening, net::socket_address* from) {
  for (int broken = 0; broken < most_broken; ++broken) {
    if (from != nullptr) from->size = sizeof from->storage;
    auto* const address = from == nullptr ? nullptr : from->get();
    auto* const size = from == nullptr ? nullptr : &from->size;
    base::unique_fd fd(::accept4(listening, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) return fd;
    if (!concerns_one_connection(errno)) break;
  }
  return base::fail_errno("accept");
}

socket_acceptor::socket_acceptor(const async::executor& where, base::unique_fd listening, std::string component)
    : listening_(where, listening.release()), trouble_(std::move(component), "accept failed") {
  listening_.native_non_blocking(true);
}

async::task<accepted> socket_acceptor::accept() {
  if (++accepted_ % turn == 0) co_await async::yield();
  while (true) {
    auto fd = accept_pending(listening_.native_handle());
    const bool none_waits = !fd && fd.error().code == std::errc::operation_would_block;
    if (!none_waits) trouble_.note(fd ? base::result<>{} : std::unexpected(fd.error()));
    if (fd) {
      const auto peer = peer_of(fd->get());
      co_return accepted{std::move(*fd), peer};
    }
    if (none_waits)
      co_await listening_.async_wait(descriptor::wait_read, async::nothrow);
    else
      co_await async::sleep_for(accept_pause);
    co_await async::check_cancelled();
  }
}

}  // namespace os
