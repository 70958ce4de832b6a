#include "link/handshake/phrase.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <expected>
#include <string_view>
#include <system_error>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/vmm_port.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"

namespace handshake {
namespace {

using descriptor = boost::asio::posix::stream_descriptor;

async::task<base::result<base::unique_fd>> read_phrase(phrase_place peer, std::string_view phrase,
                                                       async::clock::time_point deadline) {
  auto connected = co_await os::connect_to(peer.address, deadline);
  if (!connected) co_return std::unexpected(connected.error());
  descriptor stream(co_await async::asio::this_coro::executor, connected->release());
  if (peer.vm_port) {
    const auto connected_to_vm = co_await connect_to_vm_port(&stream, *peer.vm_port);
    if (!connected_to_vm) co_return std::unexpected(connected_to_vm.error());
  }
  phrase_reader reader(phrase);
  std::array<char, 256> bytes;
  while (true) {
    const auto most = std::min(bytes.size(), reader.missing());
    const auto [ec, got] = co_await stream.async_read_some(boost::asio::buffer(bytes, most), async::nothrow);
    co_await async::check_cancelled();
    if (ec) co_return base::fail(std::error_code(ec), "handshake with " + net::to_string(peer.address));
    const auto now = reader.feed({bytes.data(), got});
    if (now == phrase_reader::state::matched) co_return base::unique_fd(stream.release());
    if (now == phrase_reader::state::wrong)
      co_return base::fail("handshake with " + net::to_string(peer.address) + ": not the seed phrase");
  }
}

}  // namespace

phrase_reader::state phrase_reader::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (matched_ == phrase_.size()) break;
    wrong_ = wrong_ || c != phrase_[matched_];
    ++matched_;
  }
  if (wrong_) return state::wrong;
  return matched_ == phrase_.size() ? state::matched : state::reading;
}

void send_phrase(int fd, std::string_view phrase) {
  static_cast<void>(::send(fd, phrase.data(), phrase.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

async::task<base::result<base::unique_fd>> expect_phrase(phrase_place peer, std::string_view phrase,
                                                         std::chrono::milliseconds limit) {
  const auto deadline = async::clock::now() + limit;
  auto done = co_await async::until(deadline, read_phrase(peer, phrase, deadline));
  if (!done && done.error().code == std::errc::timed_out)
    co_return base::fail(std::errc::timed_out, "handshake with " + net::to_string(peer.address));
  co_return done;
}

}  // namespace handshake
