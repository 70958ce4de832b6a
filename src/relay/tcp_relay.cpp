#include "relay/tcp_relay.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/log.hpp"
#include "relay/tcp_direction.hpp"

namespace relay {

// Two sockets and the two directions between them.
//
//   connecting   the target was dialled   waits for its answer or the timeout; the client is not read yet
//   relaying     both are there           every event pumps; ends when both directions finished, or one broke
class tcp_connection : public event_handler {
 public:
  tcp_connection(tcp_relay& owner, base::unique_fd client, base::unique_fd target) : owner_(owner), since_(owner.loop_.now()) {
    sides_[0].fd = std::move(client);
    sides_[1].fd = std::move(target);
  }

  // To a target nearby the connection is there already, more often than not.
  void start() {
    sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (::getpeername(sides_[1].fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0) return relay();
    if (!arm(1, EPOLLOUT)) reset();
  }
  // Since when it has been waiting for its target; nothing once that has answered.
  [[nodiscard]] std::optional<clock::time_point> connecting_since() const { return connecting_ ? std::optional(since_) : std::nullopt; }

  void on_event(unsigned which, std::uint32_t events) override {
    if (over_) return;  // a later event of the batch in which it ended
    if (connecting_) return connected();
    if ((events & EPOLLERR) != 0) return reset();
    if ((events & (EPOLLIN | EPOLLHUP)) != 0) pump(which);
    if (!over_ && (events & EPOLLOUT) != 0) pump(1 - which);
    if (!over_) settle();
  }

  // Both sides see a reset.
  void reset() {
    for (auto& s : sides_) reset_on_close(s.fd.get());
    finish();
  }

 private:
  struct side {
    base::unique_fd fd;
    tcp_direction out;         // from this socket to the other one
    std::uint32_t events = 0;  // what epoll waits for
    bool watched = false;
  };

  void connected() {
    if (pending_error(sides_[1].fd.get()) == 0) return relay();
    owner_.count_.connect_failures.fetch_add(1, std::memory_order_relaxed);
    reset();
  }

  void relay() {
    connecting_ = false;
    settle();
  }

  void pump(unsigned from) {
    if (sides_[from].out.pump(sides_[from].fd.get(), sides_[1 - from].fd.get(), owner_.pipes_) == tcp_direction::state::broken) reset();
  }

  // Tells epoll what is waited for next, or ends the connection.
  void settle() {
    if (ended(0) && ended(1)) return finish();
    for (unsigned i = 0; i < 2; ++i) {
      const auto& in = sides_[1 - i].out;  // what is written to this socket
      const std::uint32_t events = (sides_[i].out.wants_read() ? EPOLLIN : 0U) | (in.wants_write() ? EPOLLOUT : 0U);
      if (!arm(i, events)) return reset();
    }
  }

  [[nodiscard]] bool ended(unsigned from) const { return sides_[from].out.now() == tcp_direction::state::finished; }

  // A socket to which nothing more is written may report EPOLLHUP, which cannot be masked, without end: while nothing is
  // to be read from it either, epoll forgets it.
  bool arm(unsigned i, std::uint32_t events) {
    auto& s = sides_[i];
    const bool wanted = events != 0 || !ended(1 - i);
    if (wanted && !s.watched) {
      if (!owner_.loop_.watch(s.fd.get(), *this, i, events)) return false;
    } else if (wanted && events != s.events) {
      owner_.loop_.change(s.fd.get(), *this, i, events);
    } else if (!wanted && s.watched) {
      owner_.loop_.unwatch(s.fd.get());
    }
    s.watched = wanted;
    s.events = events;
    return true;
  }

  void finish() {
    over_ = true;
    for (auto& s : sides_) {
      if (s.watched) owner_.loop_.unwatch(s.fd.get());
      s.fd.reset();
    }
    owner_.ended(*this);
  }

  tcp_relay& owner_;
  clock::time_point since_;
  std::array<side, 2> sides_;  // 0 the client, 1 the target
  bool connecting_ = true;
  bool over_ = false;
};

// One listening socket. Out of descriptors it stops listening to its queue for a moment, and says so once.
class tcp_listener : public event_handler {
 public:
  tcp_listener(tcp_relay& owner, base::unique_fd fd, net::endpoint target) : owner_(owner), fd_(std::move(fd)), target_(target) {
    if (!owner_.loop_.watch(fd_.get(), *this, 0, EPOLLIN)) base::log::error("relay", "cannot watch a listener: {}", std::strerror(errno));
  }
  ~tcp_listener() override {
    *alive_ = false;
    owner_.loop_.unwatch(fd_.get());
  }

  void on_event(unsigned /*which*/, std::uint32_t /*events*/) override {
    for (int i = 0; i < accepted_at_once; ++i) {
      if (!owner_.reserve()) return pause(errno);
      base::unique_fd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client && out_of_resources(errno)) return pause(errno);
      if (!client) return;
      short_of_resources_ = false;
      owner_.accepted(std::move(client), target_);
    }
  }

 private:
  static constexpr int accepted_at_once = 64;
  static constexpr std::chrono::milliseconds pause_for{50};

  void pause(int error_number) {
    if (!std::exchange(short_of_resources_, true))
      base::log::warn("relay", "cannot accept for now, will go on by itself reason=\"{}\"", std::strerror(error_number));
    owner_.loop_.change(fd_.get(), *this, 0, 0);
    owner_.loop_.every(pause_for, [this, alive = alive_] {
      if (*alive) owner_.loop_.change(fd_.get(), *this, 0, EPOLLIN);
      return false;
    });
  }

  tcp_relay& owner_;
  base::unique_fd fd_;
  net::endpoint target_;
  bool short_of_resources_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

tcp_relay::tcp_relay(event_loop& loop, counters& count, std::chrono::milliseconds connect_timeout)
    : loop_(loop), count_(count), connect_timeout_(connect_timeout) {}

tcp_relay::~tcp_relay() = default;

std::unique_ptr<event_handler> tcp_relay::listen(base::unique_fd fd, net::endpoint target) {
  return std::make_unique<tcp_listener>(*this, std::move(fd), target);
}

// One descriptor is kept back, so that who was accepted with the last one can still be dialled on.
bool tcp_relay::reserve() {
  if (!spare_) spare_.reset(::eventfd(0, EFD_CLOEXEC));
  return static_cast<bool>(spare_);
}

void tcp_relay::accepted(base::unique_fd client, const net::endpoint& target) {
  count_.accepted.fetch_add(1, std::memory_order_relaxed);
  const int one = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(client.get(), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  auto toward = open_toward(net::protocol::tcp, target);
  if (!toward && out_of_resources(toward.error().code.value())) {
    spare_.reset();
    toward = open_toward(net::protocol::tcp, target);
  }
  if (!toward) {
    count_.connect_failures.fetch_add(1, std::memory_order_relaxed);
    return reset_on_close(client.get());
  }
  auto made = std::make_unique<tcp_connection>(*this, std::move(client), std::move(*toward));
  auto* const connection = made.get();
  open_.emplace(connection, std::move(made));
  count_.connections.fetch_add(1, std::memory_order_relaxed);
  connection->start();
  if (!open_.contains(connection) || !connection->connecting_since()) return;
  if (connecting_.empty()) loop_.every(connect_timeout_ / 4, [this] { return expire_connecting(); });
  connecting_.emplace_back(loop_.now(), connection);
}

void tcp_relay::ended(tcp_connection& connection) {
  const auto at = open_.find(&connection);
  if (at == open_.end()) return;
  loop_.retire(std::move(at->second));
  open_.erase(at);
  count_.connections.fetch_sub(1, std::memory_order_relaxed);
}

// True while anything is still connecting. An entry may name a connection that has ended, or another one that was made in
// the same place since: the time tells.
bool tcp_relay::expire_connecting() {
  while (!connecting_.empty()) {
    const auto [since, connection] = connecting_.front();
    const bool waiting = open_.contains(connection) && connection->connecting_since() == since;
    if (waiting && loop_.now() - since < connect_timeout_) return true;
    connecting_.pop_front();
    if (!waiting) continue;
    count_.connect_failures.fetch_add(1, std::memory_order_relaxed);
    connection->reset();
  }
  return false;
}

}  // namespace relay
