#include "http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/socket_base.hpp>

#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "http/session.hpp"
#include "net/endpoint.hpp"

namespace http {
namespace {

namespace asio = boost::asio;
using socket_type = session::socket_type;

constexpr int turn = 64;  // connections that are accepted before others have their turn

std::optional<net::address> peer_of(int fd) {
  net::socket_address address;
  if (::getpeername(fd, address.get(), &address.size) != 0) return std::nullopt;
  const auto from = net::from_sockaddr(address);
  return from ? std::optional(from->ip) : std::nullopt;
}

// accept(2) hands on what befell the one connection that it was about to give out.
bool of_one_connection(const boost::system::error_code& ec) {
  namespace errc = boost::system::errc;
  for (const auto kind : {errc::connection_aborted, errc::interrupted, errc::protocol_error, errc::network_down,
                          errc::network_unreachable, errc::host_unreachable, errc::operation_not_permitted})
    if (ec == kind) return true;
  return false;
}

void tune(int fd) {
  const int one = 1;
  const int buffer = 256 << 10;  // what the kernel holds of an answer that is not read
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
}

// One accept loop with what it needs.
struct acceptor {
  acceptor(const async::executor& on, base::unique_fd listener, const asio::generic::stream_protocol& of)
      : where(on), protocol(of), socket(on, of, listener.release()), sessions(on) {
    socket.non_blocking(true);
  }
  void begin_session(base::unique_fd fd, std::string peer, const std::shared_ptr<server_state>& state) {
    tune(fd.get());
    auto s = std::make_shared<session>(socket_type(where, protocol, fd.release()), state, std::move(peer));
    sessions.spawn("http session", serve_session(std::move(s)));
  }
  async::executor where;
  asio::generic::stream_protocol protocol;
  socket_type socket;  // only waited on: accept4() is called directly
  async::task_group sessions;
};

asio::generic::stream_protocol protocol_of(int listener) {
  net::socket_address bound;
  ::getsockname(listener, bound.get(), &bound.size);
  return {bound.storage.ss_family, 0};
}

async::task<> wait_for_slot(server_state& state) {
  while (true) {
    const auto place = state.slots.admit(async::clock::now());
    if (place.victim) state.close(*place.victim);
    if (place.granted) co_return;
    co_await state.slot_freed.wait_until(place.again);
  }
}

}  // namespace

async::task<> serve(base::unique_fd listener, handler handle, server_limits limits, admission admits) {
  const auto where = co_await async::asio::this_coro::executor;
  auto state = std::make_shared<server_state>(where, std::move(handle), limits);
  const auto protocol = protocol_of(listener.get());
  acceptor accepts(where, std::move(listener), protocol);
  base::log::episode trouble("http", "cannot accept");
  for (int accepted = 0;;) {
    co_await accepts.socket.async_wait(socket_type::wait_read, async::nothrow);
    co_await async::check_cancelled();
    while (true) {
      base::unique_fd fd(::accept4(accepts.socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      const boost::system::error_code ec(fd ? 0 : errno, boost::system::system_category());
      if (ec == boost::system::errc::operation_would_block) break;
      if (ec && of_one_connection(ec)) continue;
      trouble.note(ec ? base::fail(static_cast<std::error_code>(ec), "") : base::result<>{});
      if (ec) {
        co_await async::sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      const auto peer = peer_of(fd.get());
      if (!admits || (peer && admits(*peer))) {
        co_await wait_for_slot(*state);
        accepts.begin_session(std::move(fd), peer ? peer->to_string() : "", state);
      }
      if (++accepted % turn == 0) co_await async::yield();
    }
  }
}

}  // namespace http
