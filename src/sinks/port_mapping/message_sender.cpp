#include "sinks/port_mapping/message_sender.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/unique_fd.hpp"
#include "io/timeout.hpp"

namespace port_mapping {
namespace {

constexpr std::chrono::milliseconds full_backlog_pause{20};
constexpr std::chrono::milliseconds close_grace{250};  // of a UNIX socket's peer

base::result<net::socket_address> unix_address(const std::filesystem::path& path) {
  net::socket_address made;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  const auto& text = path.native();
  if (text.size() >= sizeof un.sun_path) return base::fail(std::errc::filename_too_long, "connect " + text);
  std::memcpy(un.sun_path, text.c_str(), text.size() + 1);
  std::memcpy(&made.storage, &un, sizeof un);
  made.size = sizeof un;
  return made;
}

base::result<net::socket_address> address_of(const peer_address& peer) {
  if (const auto* path = std::get_if<std::filesystem::path>(&peer)) return unix_address(*path);
  return net::to_sockaddr(std::get<net::endpoint>(peer));
}

}  // namespace

// Not Asio's async_connect: on a UNIX socket it takes EAGAIN, the peer's full backlog, for success later on.
io::task<base::result<stream>> connect_to(peer_address peer) {
  const auto name = "connect " + to_string(peer);
  const auto to = address_of(peer);
  if (!to) co_return std::unexpected(to.error());
  const int family = to->storage.ss_family;
  base::unique_fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return base::fail_errno(name);
  stream socket(co_await boost::asio::this_coro::executor, stream::protocol_type(family, 0), fd.release());
  while (::connect(socket.native_handle(), to->get(), to->size) != 0) {
    if (errno == EISCONN) break;
    if (errno == EAGAIN)
      co_await io::sleep_for(full_backlog_pause);
    else if (errno != EINPROGRESS && errno != EALREADY)
      co_return base::fail_errno(name);
    else
      co_await socket.async_wait(stream::wait_write, io::nothrow);
    co_await io::check_cancelled();
  }
  co_return std::move(socket);
}

namespace {

io::task<base::result<ending>> await_close(stream& socket) {
  std::array<char, 256> ignored;
  boost::system::error_code ec;
  while (!ec) {
    ec = std::get<0>(co_await socket.async_read_some(boost::asio::buffer(ignored), io::nothrow));
    co_await io::check_cancelled();
  }
  co_return ec == boost::asio::error::eof ? ending::closed : ending::reset;
}

io::task<base::result<ending>> deliver(peer_address peer, std::string bytes) {
  auto socket = co_await connect_to(peer);
  if (!socket) co_return std::unexpected(socket.error());
  const auto [ec, written] = co_await boost::asio::async_write(*socket, boost::asio::buffer(bytes), io::nothrow);
  co_await io::check_cancelled();
  if (ec) co_return base::fail(std::error_code(ec), "write to " + to_string(peer));
  ::shutdown(socket->native_handle(), SHUT_WR);
  if (std::holds_alternative<net::endpoint>(peer)) co_return co_await await_close(*socket);
  const auto ended = co_await io::within(close_grace, await_close(*socket));
  co_return ended.value_or(ending::open);
}

io::task<base::result<>> connect_only(peer_address peer) {
  const auto socket = co_await connect_to(std::move(peer));
  if (!socket) co_return std::unexpected(socket.error());
  co_return base::result<>{};
}

template <class T>
base::result<T> name_deadline(base::result<T> done, const std::string& context) {
  if (!done && done.error().code == std::errc::timed_out) return base::fail(std::errc::timed_out, context);
  return done;
}

}  // namespace

std::string to_string(const peer_address& peer) {
  if (const auto* path = std::get_if<std::filesystem::path>(&peer)) return path->string();
  return net::to_string(std::get<net::endpoint>(peer));
}

io::task<base::result<ending>> send(peer_address peer, std::string bytes, io::clock::duration limit) {
  const auto context = "send to " + to_string(peer);
  auto sent = co_await io::within(limit, deliver(std::move(peer), std::move(bytes)));
  co_return name_deadline(std::move(sent), context);
}

io::task<base::result<>> probe(peer_address peer, io::clock::duration limit) {
  const auto context = "connect " + to_string(peer);
  auto connected = co_await io::within(limit, connect_only(std::move(peer)));
  co_return name_deadline(std::move(connected), context);
}

}  // namespace port_mapping
