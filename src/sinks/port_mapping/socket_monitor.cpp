#include "sinks/port_mapping/socket_monitor.hpp"

#include <algorithm>
#include <chrono>
#include <expected>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "net/stream_address.hpp"
#include "os/file_watch.hpp"
#include "sinks/port_mapping/message_sender.hpp"

namespace port_mapping_peer {
namespace {

constexpr std::chrono::milliseconds poll{1'000};  // of a peer that took no message

}  // namespace

socket_monitor::socket_monitor(const async::executor& where, socket_monitor_options options)
    : options_(std::move(options)), watch_(where, options_.path) {}

base::result<std::string> socket_monitor::identity() const {
  const auto file = os::identify(options_.path);
  if (!file) return base::fail(std::errc::no_such_file_or_directory, options_.path.string());
  std::error_code ignored;
  if (!std::filesystem::is_socket(options_.path, ignored))
    return base::fail(std::errc::not_a_socket, options_.path.string());
  return std::to_string(file->device) + ":" + std::to_string(file->inode) + ":" + std::to_string(file->changed_ns);
}

async::task<base::result<std::string>> socket_monitor::check() {
  seen_.clear();
  auto now = identity();
  if (now && suspected_ == *now) {
    if (auto alive = co_await probe(net::unix_path{options_.path}, options_.deadline); !alive)
      co_return std::unexpected(alive.error());
    now = identity();
  }
  if (!now) co_return now;
  suspected_.clear();
  seen_ = *now;
  co_return now;
}

void socket_monitor::suspect() { suspected_ = identity().value_or(""); }

async::task<bool> socket_monitor::is_alive(bool /*refused*/) { co_return true; }

// The identity decides, whatever the event, so a duplicate or lost event does no harm. A peer that stayed up but took
// no message gives no event when it takes messages again.
async::task<> socket_monitor::changed() {
  while (true) {
    const auto limit = suspected_.empty() ? options_.resync : std::min(options_.resync, poll);
    static_cast<void>(co_await async::within(limit, watch_.changed()));
    if (identity().value_or("") != seen_) co_return;
  }
}

}  // namespace port_mapping_peer
