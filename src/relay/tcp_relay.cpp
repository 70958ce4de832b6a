#include "relay/tcp_relay.hpp"

#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "os/event_loop.hpp"
#include "relay/counters.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_share.hpp"
#include "relay/port_traffic.hpp"
#include "relay/shortage.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"
#include "relay/tcp_connection.hpp"
#include "relay/tcp_listener.hpp"

namespace relay {
namespace {

constexpr std::chrono::milliseconds full_queue_pause{20};

}  // namespace

tcp_relay::tcp_relay(os::event_loop& loop, counters& count, shortage& shortage, descriptor_budget& budget,
                     std::chrono::milliseconds connect_timeout)
    : loop_(loop),
      count_(count),
      short_(shortage),
      budget_(budget),
      connect_timeout_(connect_timeout),
      pipes_(budget) {}

tcp_relay::~tcp_relay() = default;

base::result<std::unique_ptr<os::event_handler>> tcp_relay::listen(base::unique_fd fd, const stream_target& target,
                                                                   admission admit,
                                                                   std::shared_ptr<port_traffic> traffic) {
  auto made = std::make_unique<tcp_listener>(*this, std::move(fd), target, std::move(admit), std::move(traffic));
  if (!made->watch()) return base::fail_errno("");
  return made;
}

// Keeps one descriptor back, so that a client accepted with the last one can still be connected to its target.
bool tcp_relay::reserve() {
  if (!spare_) spare_.reset(::eventfd(0, EFD_CLOEXEC));
  return static_cast<bool>(spare_);
}

void tcp_relay::dispatch(base::unique_fd client, const stream_target& target, connection_ticket ticket) {
  count_.accepted.fetch_add(1, std::memory_order_relaxed);
  auto* home = this;
  for (auto* other : workers_)
    if (other->load_ < home->load_) home = other;
  ++home->load_;
  arrival made{std::move(client), target, std::move(ticket), {}};
  if (home == this) {
    made.since = loop_.now();
    return open(std::move(made));
  }
  const auto carried = std::make_shared<arrival>(std::move(made));
  home->loop_.post([home, carried] {
    carried->since = home->loop_.now();
    home->open(std::move(*carried));
  });
}

void tcp_relay::open(arrival from) {
  static_cast<void>(reserve());
  auto toward = dial(from.target.address);
  if (!toward && out_of_resources(toward.error().code.value())) {
    spare_.reset();
    toward = dial(from.target.address);
  }
  if (!toward && toward.error().code == std::errc::resource_unavailable_try_again && !is_late(from.since))
    return open_later(std::move(from));
  if (!toward) {
    --load_;
    count_.connect_failures.fetch_add(1, std::memory_order_relaxed);
    return reset_on_close(from.client.get());
  }
  auto& home = toward->connected ? relaying_ : connecting_;
  if (!toward->connected && !std::exchange(ticking_, true))
    loop_.every(connect_timeout_ / 4, [this] { return ticking_ = expire_connecting(); });
  home.push_back(std::make_unique<tcp_connection>(*this, std::move(from.client), std::move(toward->fd),
                                                  from.target.tunnel, std::move(from.ticket)));
  count_.connections.fetch_add(1, std::memory_order_relaxed);
  auto& connection = *home.back();
  connection.place_ = std::prev(home.end());
  if (toward->connected)
    connection.start();
  else
    connection.await_target();
}

// The full queue of a UNIX socket gives no event when it has room again.
void tcp_relay::open_later(arrival from) {
  const auto waiting = std::make_shared<arrival>(std::move(from));
  loop_.every(full_queue_pause, [this, waiting] {
    open(std::move(*waiting));
    return false;
  });
}

void tcp_relay::answered(tcp_connection& connection) {
  relaying_.splice(relaying_.end(), connecting_, connection.place_);
}

void tcp_relay::unreachable(tcp_connection& connection) {
  count_.connect_failures.fetch_add(1, std::memory_order_relaxed);
  connection.reset();
}

void tcp_relay::ended(tcp_connection& connection, bool was_connecting) {
  loop_.retire(std::move(*connection.place_));
  (was_connecting ? connecting_ : relaying_).erase(connection.place_);
  --load_;
  count_.connections.fetch_sub(1, std::memory_order_relaxed);
}

// True while a connection is still connecting.
bool tcp_relay::expire_connecting() {
  while (!connecting_.empty() && loop_.now() - connecting_.front()->since() >= connect_timeout_)
    unreachable(*connecting_.front());
  return !connecting_.empty();
}

}  // namespace relay
