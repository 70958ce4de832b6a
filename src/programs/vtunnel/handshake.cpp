#include "programs/vtunnel/handshake.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "async/timeout.hpp"
#include "base/log.hpp"

namespace vtunnel {
namespace {

using stream = boost::asio::generic::stream_protocol::socket;
using descriptor = boost::asio::posix::stream_descriptor;

constexpr std::chrono::milliseconds accept_pause{100};  // after a failure, such as no descriptors left

async::task<base::result<stream>> connect_to(net::stream_address peer) {
  const auto at = net::to_sockaddr(peer);
  const int family = at.storage.ss_family;
  const auto name = "connect " + net::to_string(peer);
  base::unique_fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return base::fail_errno(name);
  stream socket(co_await async::asio::this_coro::executor, stream::protocol_type(family, 0), fd.release());
  if (::connect(socket.native_handle(), at.get(), at.size) == 0) co_return std::move(socket);
  if (errno != EINPROGRESS) co_return base::fail_errno(name);
  co_await socket.async_wait(stream::wait_write, async::nothrow);
  co_await async::check_cancelled();
  int error_number = 0;
  socklen_t size = sizeof error_number;
  ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &error_number, &size);
  if (error_number != 0) co_return base::fail(std::error_code(error_number, std::system_category()), name);
  co_return std::move(socket);
}

async::task<base::result<>> read_phrase(net::stream_address peer) {
  auto socket = co_await connect_to(peer);
  if (!socket) co_return std::unexpected(socket.error());
  phrase_reader reader;
  std::array<char, 256> bytes;
  while (true) {
    const auto [ec, got] = co_await socket->async_read_some(boost::asio::buffer(bytes), async::nothrow);
    co_await async::check_cancelled();
    if (ec) co_return base::fail(std::error_code(ec), "handshake with " + net::to_string(peer));
    const auto now = reader.feed({bytes.data(), got});
    if (now == phrase_reader::state::matched) co_return base::result<>{};
    if (now == phrase_reader::state::wrong)
      co_return base::fail("handshake with " + net::to_string(peer) + ": not the seed phrase");
  }
}

// A whole phrase fits into an empty socket's buffer.
void send_phrase(int fd) { static_cast<void>(::send(fd, seed_phrase.data(), seed_phrase.size(), MSG_NOSIGNAL)); }

}  // namespace

phrase_reader::state phrase_reader::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (matched_ == seed_phrase.size()) break;
    wrong_ = wrong_ || c != seed_phrase[matched_];
    ++matched_;
  }
  if (wrong_) return state::wrong;
  return matched_ == seed_phrase.size() ? state::matched : state::reading;
}

async::task<> answer_handshakes(base::unique_fd listening) {
  descriptor stream(co_await async::asio::this_coro::executor, listening.release());
  while (true) {
    co_await stream.async_wait(descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
    const base::unique_fd client(::accept4(stream.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      send_phrase(client.get());
      base::log::debug("vtunnel", "handshake answered");
    } else if (errno != EAGAIN && errno != ECONNABORTED) {
      co_await async::sleep_for(accept_pause);
    }
  }
}

async::task<base::result<>> shake_hands(net::stream_address peer, std::chrono::milliseconds limit) {
  auto done = co_await async::within(limit, read_phrase(peer));
  if (!done && done.error().code == std::errc::timed_out)
    co_return base::fail(std::errc::timed_out, "handshake with " + net::to_string(peer));
  co_return done;
}

}  // namespace vtunnel
