#include "programs/vtunnel/handshake.hpp"

#include <sys/socket.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <expected>
#include <optional>
#include <utility>

#include "async/task.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/phrase.hpp"
#include "net/stream_address.hpp"
#include "os/acceptor.hpp"

namespace vtunnel {

async::task<> answer_handshakes(base::unique_fd listening) {
  os::socket_acceptor from(co_await async::asio::this_coro::executor, std::move(listening), "vtunnel");
  while (true) {
    const auto client = co_await from.accept();
    handshake::send_phrase(client.fd.get(), seed_phrase);
    base::log::debug("vtunnel", "handshake answered");
  }
}

async::task<base::result<>> shake_hands(net::stream_address peer, std::chrono::milliseconds limit) {
  const auto done = co_await handshake::expect_phrase({std::move(peer), std::nullopt}, seed_phrase, limit);
  if (!done) co_return std::unexpected(done.error());
  co_return base::result<>{};
}

}  // namespace vtunnel
