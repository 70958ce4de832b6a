#include "programs/vtunnel/handshake.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <expected>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "net/stream_address.hpp"
#include "os/acceptor.hpp"
#include "os/connect.hpp"

namespace vtunnel {
namespace {

using descriptor = boost::asio::posix::stream_descriptor;

async::task<base::result<>> read_phrase(net::stream_address peer, async::clock::time_point deadline) {
  auto connected = co_await os::connect_to(peer, deadline);
  if (!connected) co_return std::unexpected(connected.error());
  descriptor stream(co_await async::asio::this_coro::executor, connected->release());
  phrase_reader reader;
  std::array<char, 256> bytes;
  while (true) {
    const auto [ec, got] = co_await stream.async_read_some(boost::asio::buffer(bytes), async::nothrow);
    co_await async::check_cancelled();
    if (ec) co_return base::fail(std::error_code(ec), "handshake with " + net::to_string(peer));
    const auto now = reader.feed({bytes.data(), got});
    if (now == phrase_reader::state::matched) co_return base::result<>{};
    if (now == phrase_reader::state::wrong)
      co_return base::fail("handshake with " + net::to_string(peer) + ": not the seed phrase");
  }
}

// The phrase fits into an empty socket's buffer.
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
  os::socket_acceptor from(co_await async::asio::this_coro::executor, std::move(listening), "vtunnel");
  while (true) {
    const auto client = co_await from.accept();
    send_phrase(client.fd.get());
    base::log::debug("vtunnel", "handshake answered");
  }
}

async::task<base::result<>> shake_hands(net::stream_address peer, std::chrono::milliseconds limit) {
  const auto deadline = async::clock::now() + limit;
  auto done = co_await async::until(deadline, read_phrase(peer, deadline));
  if (!done && done.error().code == std::errc::timed_out)
    co_return base::fail(std::errc::timed_out, "handshake with " + net::to_string(peer));
  co_return done;
}

}  // namespace vtunnel
