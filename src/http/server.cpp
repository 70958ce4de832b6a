#include "http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/generic/stream_protocol.hpp>

#include <memory>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "http/session.hpp"
#include "os/acceptor.hpp"

namespace http {
namespace {

namespace asio = boost::asio;
using socket_type = session::socket_type;

void tune(int fd) {
  const int one = 1;
  const int buffer = 256 << 10;  // of an unread answer, in the kernel
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
}

asio::generic::stream_protocol protocol_of(int fd) {
  int family = AF_UNIX;
  socklen_t size = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return {family, 0};
}

async::task<> wait_for_slot(server_state& state) {
  while (true) {
    const auto place = state.slots.admit(async::clock::now());
    if (place.victim) state.close(*place.victim);
    if (place.granted) co_return;
    co_await state.slot_freed.wait_until(place.again);
  }
}

async::task<> accept_sessions(os::acceptor* from, std::shared_ptr<server_state> state, admission admits,
                              async::task_group* sessions) {
  const auto where = co_await async::asio::this_coro::executor;
  while (true) {
    auto client = co_await from->accept();
    if (admits && (!client.peer || !admits(client.peer->ip))) continue;
    co_await wait_for_slot(*state);
    tune(client.fd.get());
    const auto protocol = protocol_of(client.fd.get());
    auto s = std::make_shared<session>(socket_type(where, protocol, client.fd.release()), state,
                                       client.peer ? client.peer->ip.to_string() : "");
    sessions->spawn("http session", serve_session(std::move(s)));
  }
}

}  // namespace

async::task<> serve(std::unique_ptr<os::acceptor> from, handler handle, server_limits limits, admission admits) {
  const auto where = co_await async::asio::this_coro::executor;
  async::task_group sessions(where);
  auto state = std::make_shared<server_state>(where, std::move(handle), limits);
  co_await accept_sessions(from.get(), std::move(state), std::move(admits), &sessions);
}

async::task<> serve(base::unique_fd listener, handler handle, server_limits limits, admission admits) {
  const auto where = co_await async::asio::this_coro::executor;
  auto from = std::make_unique<os::socket_acceptor>(where, std::move(listener), "http");
  co_await serve(std::move(from), std::move(handle), limits, std::move(admits));
}

}  // namespace http
