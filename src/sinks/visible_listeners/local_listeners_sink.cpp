#include "sinks/visible_listeners/local_listeners_sink.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <expected>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "net/protocol.hpp"
#include "os/acceptor.hpp"
#include "ports/binding.hpp"
#include "ports/sink.hpp"
#include "relay/sockets.hpp"

namespace visible_listeners {
namespace {

using ports::outcome;
using ports::outcome_kind;

constexpr int at_once = 64;  // connections of one socket before the next one's turn

int make_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  return fd;
}

// Fails if a connection waits that cannot be taken now.
base::result<> close_connections_of(int listener) {
  for (int i = 0; i < at_once; ++i) {
    const auto connection = os::accept_pending(listener);
    if (connection) continue;
    if (connection.error().code == std::errc::operation_would_block) break;
    return std::unexpected(connection.error());
  }
  return {};
}

}  // namespace

local_listeners_sink::local_listeners_sink(const async::executor& where)
    : ready_(where, make_epoll()), never_(where), tasks_(where) {
  tasks_.spawn("local listeners", close_connections());
}

async::task<base::result<ports::peer_state>> local_listeners_sink::list() {
  ports::peer_state state;
  for (const auto& [key, fd] : open_) state.held.push_back({key, true, 0, {}});
  co_return state;
}

outcome local_listeners_sink::listen(const ports::port_key& key) {
  if (key.protocol != net::protocol::tcp) return {outcome_kind::refused, "only tcp ports are listened on"};
  auto fd = relay::open_listener({.protocol = key.protocol, .listen = {key.address, key.port}, .target = {}});
  if (!fd) {
    const bool busy = fd.error().code == std::errc::address_in_use;
    return {busy ? outcome_kind::conflict : outcome_kind::refused, fd.error().message()};
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd->get();
  if (::epoll_ctl(ready_.native_handle(), EPOLL_CTL_ADD, fd->get(), &event) != 0)
    return {outcome_kind::refused, std::system_category().message(errno)};
  open_[key] = std::move(*fd);
  return {};
}

outcome local_listeners_sink::apply_one(const ports::operation& op) {
  const auto& key = op.target.key;
  if (op.what == ports::verb::add) return closed_ || open_.contains(key) ? outcome{} : listen(key);
  open_.erase(key);  // the close removes it from epoll as well
  return {};
}

async::task<std::vector<outcome>> local_listeners_sink::apply(std::vector<ports::operation> batch) {
  std::vector<outcome> outcomes;
  outcomes.reserve(batch.size());
  for (const auto& op : batch) outcomes.push_back(apply_one(op));
  co_return outcomes;
}

async::task<> local_listeners_sink::close_connections() {
  while (true) {
    co_await ready_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(ready_.native_handle(), events.data(), events.size(), 0);
    base::result<> taken;
    for (int i = 0; i < count; ++i) {
      const auto one = close_connections_of(events.at(static_cast<std::size_t>(i)).data.fd);
      if (taken) taken = one;  // the first failure
    }
    trouble_.note(taken);
    if (!taken) co_await async::sleep_for(os::accept_pause);
  }
}

async::task<> local_listeners_sink::changed() {
  while (true) co_await never_.wait();
}

async::task<> local_listeners_sink::close() {
  closed_ = true;
  open_.clear();
  co_await tasks_.stop(async::clock::time_point::max());
}

}  // namespace visible_listeners
