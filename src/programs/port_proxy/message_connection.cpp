#include "programs/port_proxy/message_connection.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "json/json.hpp"
#include "programs/port_proxy/caller.hpp"
#include "protocols/port_mapping/message_codec.hpp"

namespace port_proxy {
namespace {

namespace log = base::log;

constexpr std::string_view component = "messages";
// The codec bounds the depth: a message that is too deep is ignored, and its connection stays open.
constexpr json::limits message_limits{.bytes = port_mapping::max_message_bytes,
                                      .depth = port_mapping::max_message_bytes};
constexpr std::size_t read_at_once = 2 * port_mapping::max_message_bytes;  // before the next connection's turn

}  // namespace

message_connection::message_connection(const async::executor& where, base::unique_fd fd, std::uint64_t number,
                                       caller who)
    : stream_(where, fd.release()), number_(number), who_(who), documents_(message_limits) {}

void message_connection::hand_over(const std::string& document, const handler& take, log::throttle& ignored) const {
  const auto decoded = port_mapping::decode(document);
  if (!decoded)
    return log::throttled(ignored, log::level::warn, component, "ignored a message connection={} reason=\"{}\"",
                          number_, base::printable(decoded.error().message()));
  if (decoded->refused_count > 0)
    log::throttled(ignored, log::level::warn, component, "ignored parts of a message connection={} count={} first: {}",
                   number_, decoded->refused_count, decoded->refused.empty() ? "" : decoded->refused.front());
  take(decoded->accepted, who_);
}

void message_connection::feed(std::string_view bytes, const handler& take, log::throttle& ignored) {
  heard_ = async::clock::now();
  const auto fed = documents_.feed(bytes);
  while (auto document = documents_.next()) hand_over(*document, take, ignored);
  if (fed) return;
  log::throttled(ignored, log::level::warn, component,
                 "closed a connection that sent no message connection={} reason=\"{}\"", number_,
                 fed.error().message());
  close();
}

void message_connection::drain(const handler& take, log::throttle& ignored) {
  std::array<char, 65'536> chunk;
  for (std::size_t total = 0; open_ && total < read_at_once;) {
    const auto got = ::recv(stream_.native_handle(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      total += static_cast<std::size_t>(got);
      feed({chunk.data(), static_cast<std::size_t>(got)}, take, ignored);
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (documents_.inside())
      log::throttled(ignored, log::level::warn, component, "ignored an incomplete message connection={}", number_);
    close();
  }
}

async::task<> message_connection::readable() {
  co_await stream_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
}

void message_connection::close() {
  open_ = false;
  stream_.close();
}

}  // namespace port_proxy
