#include "sinks/port_mapping/message_sender.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <expected>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"

namespace port_mapping_peer {
namespace {

async::task<base::result<ending>> await_close(stream_ptr socket) {
  std::array<char, 256> ignored;
  boost::system::error_code ec;
  while (!ec) {
    ec = std::get<0>(co_await socket->async_read_some(boost::asio::buffer(ignored), async::nothrow));
    co_await async::check_cancelled();
  }
  co_return ec == boost::asio::error::eof ? ending::closed : ending::reset;
}

async::task<base::result<>> write_all(stream_ptr to, std::string bytes, std::string context) {
  const auto [ec, written] = co_await boost::asio::async_write(*to, boost::asio::buffer(bytes), async::nothrow);
  co_await async::check_cancelled();
  if (ec) co_return base::fail(std::error_code(ec), std::move(context));
  ::shutdown(to->native_handle(), SHUT_WR);
  co_return base::result<>{};
}

}  // namespace

async::task<base::result<stream_ptr>> open_stream(net::stream_address peer, async::clock::time_point deadline) {
  const int family = net::to_sockaddr(peer).storage.ss_family;
  auto connected = co_await os::connect_to(std::move(peer), deadline);
  if (!connected) co_return std::unexpected(connected.error());
  const stream::protocol_type protocol(family, 0);
  co_return std::make_shared<stream>(co_await boost::asio::this_coro::executor, protocol, connected->release());
}

async::task<std::expected<ending, send_failure>> send(net::stream_address peer, std::string bytes, send_limits limits) {
  const auto deadline = async::clock::now() + limits.deadline;
  const auto context = "send to " + net::to_string(peer);
  const auto to = co_await open_stream(std::move(peer), deadline);
  if (!to) co_return std::unexpected(send_failure{to.error(), true});
  auto written = co_await async::until(deadline, write_all(*to, std::move(bytes), context));
  if (!written) co_return std::unexpected(send_failure{{written.error().code, context}, false});
  const auto ended = co_await async::within(limits.patience, await_close(*to));
  co_return ended.value_or(ending::open);
}

async::task<base::result<>> probe(net::stream_address peer, async::clock::duration limit) {
  const auto connected = co_await os::connect_to(std::move(peer), async::clock::now() + limit);
  if (!connected) co_return std::unexpected(connected.error());
  co_return base::result<>{};
}

}  // namespace port_mapping_peer
