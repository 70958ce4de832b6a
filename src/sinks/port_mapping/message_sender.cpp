#include "sinks/port_mapping/message_sender.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "async/timeout.hpp"
#include "base/unique_fd.hpp"

namespace port_mapping_peer {
namespace {

constexpr std::chrono::milliseconds full_backlog_pause{20};

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
async::task<base::result<stream>> connect_to(peer_address peer) {
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
      co_await async::sleep_for(full_backlog_pause);
    else if (errno != EINPROGRESS && errno != EALREADY)
      co_return base::fail_errno(name);
    else
      co_await socket.async_wait(stream::wait_write, async::nothrow);
    co_await async::check_cancelled();
  }
  co_return std::move(socket);
}

namespace {

using stream_ptr = std::shared_ptr<stream>;  // what async::within() carries has a default value

async::task<base::result<ending>> await_close(stream_ptr socket) {
  std::array<char, 256> ignored;
  boost::system::error_code ec;
  while (!ec) {
    ec = std::get<0>(co_await socket->async_read_some(boost::asio::buffer(ignored), async::nothrow));
    co_await async::check_cancelled();
  }
  co_return ec == boost::asio::error::eof ? ending::closed : ending::reset;
}

async::task<base::result<stream_ptr>> open_stream(peer_address peer) {
  auto made = co_await connect_to(std::move(peer));
  if (!made) co_return std::unexpected(made.error());
  co_return std::make_shared<stream>(std::move(*made));
}

async::task<base::result<>> write_all(stream_ptr to, std::string bytes, std::string context) {
  const auto [ec, written] = co_await boost::asio::async_write(*to, boost::asio::buffer(bytes), async::nothrow);
  co_await async::check_cancelled();
  if (ec) co_return base::fail(std::error_code(ec), std::move(context));
  ::shutdown(to->native_handle(), SHUT_WR);
  co_return base::result<>{};
}

async::task<base::result<>> connect_only(peer_address peer) {
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

async::task<std::expected<ending, send_failure>> send(peer_address peer, std::string bytes, send_limits limits) {
  const auto until = async::clock::now() + limits.deadline;
  const auto context = "send to " + to_string(peer);
  const auto to = name_deadline(co_await async::until(until, open_stream(std::move(peer))), context);
  if (!to) co_return std::unexpected(send_failure{to.error(), true});
  const auto written = name_deadline(co_await async::until(until, write_all(*to, std::move(bytes), context)), context);
  if (!written) co_return std::unexpected(send_failure{written.error(), false});
  const auto ended = co_await async::within(limits.patience, await_close(*to));
  co_return ended.value_or(ending::open);
}

async::task<base::result<>> probe(peer_address peer, async::clock::duration limit) {
  const auto context = "connect " + to_string(peer);
  auto connected = co_await async::within(limit, connect_only(std::move(peer)));
  co_return name_deadline(std::move(connected), context);
}

}  // namespace port_mapping_peer
