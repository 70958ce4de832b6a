#include "http/dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <expected>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "http/any_stream.hpp"
#include "http/server_address.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"
#include "os/resolve.hpp"

namespace http {
namespace {

using socket_type = any_stream::socket_type;

// Keep-alive notices a peer that vanished within half a minute, also while nothing is sent.
void tune(socket_type& socket) {
  const int fd = socket.native_handle();
  const auto set = [fd](int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
}

base::result<> adopt(socket_type& socket, int family, base::unique_fd fd) {
  boost::system::error_code ec;
  socket.assign({family, family == AF_UNIX ? 0 : IPPROTO_TCP}, fd.get(), ec);
  if (ec) return base::fail(static_cast<std::error_code>(ec), "");
  static_cast<void>(fd.release());
  return {};
}

async::task<base::result<>> connect_socket(socket_type& socket, net::stream_address to,
                                           async::clock::time_point deadline) {
  const int family = net::to_sockaddr(to).storage.ss_family;
  auto connected = co_await os::connect_to(std::move(to), deadline);
  if (!connected) co_return base::fail(connected.error().code, "");  // the URL is in front of it
  co_return adopt(socket, family, std::move(*connected));
}

// Each address gets an equal share of the time that is left, so that a silent one leaves time for the others.
async::task<base::result<>> connect_tcp(socket_type& socket, const server_address& address,
                                        async::clock::time_point deadline) {
  const auto found = co_await os::resolve(address.host, address.port);
  if (!found) co_return std::unexpected(found.error());
  base::result<> last;
  auto left = static_cast<int>(found->size());
  for (const auto& at : *found) {
    const auto now = async::clock::now();
    last = co_await connect_socket(socket, at, now + (deadline - now) / left--);
    if (!last) continue;
    tune(socket);
    break;
  }
  co_return last;
}

}  // namespace

async::task<base::result<>> dial(any_stream::socket_type& socket, const server_address& address,
                                 async::clock::time_point deadline) {
  if (address.path.empty()) co_return co_await connect_tcp(socket, address, deadline);
  co_return co_await connect_socket(socket, net::unix_path{address.path}, deadline);
}

}  // namespace http
