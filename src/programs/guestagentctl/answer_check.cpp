#include "programs/guestagentctl/answer_check.hpp"

#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstddef>
#include <expected>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "os/connect.hpp"

namespace guestagentctl {
namespace {

using descriptor = async::asio::posix::stream_descriptor;

constexpr std::size_t most_addresses = 16;

async::task<base::result<>> check_connection(net::endpoint at, answer_limits limits) {
  auto fd = co_await os::connect_to(at, async::clock::now() + limits.connect);
  if (!fd) co_return std::unexpected(fd.error());
  descriptor connection(co_await async::asio::this_coro::executor, fd->release());
  const auto ended =
      co_await async::within(limits.open, connection.async_wait(descriptor::wait_read, async::asio::use_awaitable));
  if (!ended) co_return base::result<>{};
  char byte = 0;
  const auto got = ::recv(connection.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) co_return base::result<>{};
  if (got < 0) co_return base::fail_errno(net::to_string(at));
  co_return base::fail(net::to_string(at) + " closed the connection at once");
}

// The loopback address first. Where the others cannot be read, it alone.
std::vector<net::endpoint> addresses_of(const net::endpoint& at) {
  if (!at.ip.is_unspecified()) return {at};
  std::vector<net::endpoint> all{{net::address::loopback_v4(), at.port}};
  const auto own = netlink::read_addresses();
  if (!own) return all;
  for (const auto& one : *own)
    if (one.ip.is_v4() && !one.ip.is_loopback() && all.size() < most_addresses) all.push_back({one.ip, at.port});
  return all;
}

}  // namespace

async::task<base::result<>> check_answer(net::endpoint at, answer_limits limits) {
  base::result<> first;
  for (const auto& one : addresses_of(at)) {
    auto answered = co_await check_connection(one, limits);
    if (answered) co_return answered;
    if (first) first = std::move(answered);
  }
  co_return first;
}

}  // namespace guestagentctl
