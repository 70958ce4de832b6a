#include "tests/bench/load/target_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace bench {

target_server::target_server(const net::address& ip, std::uint16_t first)
    : ip_(ip),
      first_(first),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      orders_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (const auto port : {echo_port, count_port}) ports_[port] = udp_at(port);
  for (std::uint16_t port = 0; port < target_ports; ++port)
    if (!ports_[port]) ports_[port] = listen_socket({ip_, static_cast<std::uint16_t>(first_ + port)});
  for (const auto& fd : ports_) watch(fd.get());
  watch(orders_.get());
}

base::unique_fd target_server::udp_at(std::uint16_t port) const {
  auto fd = udp_socket();
  bind_socket(fd.get(), {ip_, static_cast<std::uint16_t>(first_ + port)});
  return fd;
}

void target_server::watch(int fd) {
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = fd;
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
}

bool target_server::serve() {
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
  for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.fd);
  return !stops_;
}

void target_server::handle(int fd) {
  if (fd == orders_.get()) return obey();
  const auto port = std::ranges::find(ports_, fd, &base::unique_fd::get);
  if (port == ports_.end()) {
    if (const auto at = clients_.find(fd); at != clients_.end() && !go_on(at->second)) forget(fd);
    return;
  }
  const auto number = static_cast<std::uint16_t>(port - ports_.begin());
  if (number == echo_port) return echo();
  if (number == count_port) return this->count();
  take(number);
}

void target_server::take(std::uint16_t port) {
  for (int i = 0; i < 64; ++i) {
    base::unique_fd fd(::accept4(ports_[port].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    if (port >= hold_port) {
      held_.push_back(std::move(fd));
      counters_.held = held_.size();
      continue;
    }
    client taken{std::move(fd), port};
    if (port == answer_port && !go_on(taken)) continue;  // its request has come with it
    keep(std::move(taken));
  }
}

void target_server::keep(client taken) {
  const int key = taken.fd.get();
  watch(key);
  if (taken.port == sink_port) ++counters_.sinking;
  clients_.insert_or_assign(key, std::move(taken));
}

void target_server::forget(int fd) {
  const auto at = clients_.find(fd);
  if (at->second.port == sink_port) --counters_.sinking;
  clients_.erase(at);
}

// False: it is over.
bool target_server::go_on(client& c) {
  const bool sink = c.port == sink_port;
  const auto got = ::recv(c.fd.get(), buffer_.data(), sink ? buffer_.size() : request_bytes, 0);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) {
    if (sink) ::send(c.fd.get(), &c.taken, sizeof c.taken, MSG_NOSIGNAL);
    return false;
  }
  c.taken += static_cast<std::uint64_t>(got);
  if (sink) counters_.sink_bytes += static_cast<std::uint64_t>(got);
  if (sink || c.taken % request_bytes != 0) return true;
  ::send(c.fd.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
  return buffer_[0] != 'c';
}

void target_server::echo() {
  const int count = datagrams_.receive(ports_[echo_port].get());
  if (count > 0) datagrams_.send(ports_[echo_port].get(), static_cast<unsigned>(count));
}

void target_server::count() {
  const int count = datagrams_.receive(ports_[count_port].get());
  if (count > 0) counters_.datagrams += static_cast<std::uint64_t>(count);
}

void target_server::drop_held() {
  drops_ = true;
  ::eventfd_write(orders_.get(), 1);
}

void target_server::stop() {
  stops_ = true;
  ::eventfd_write(orders_.get(), 1);
}

void target_server::obey() {
  eventfd_t ignored = 0;
  ::eventfd_read(orders_.get(), &ignored);
  if (!drops_.exchange(false)) return;
  held_.clear();
  counters_.held = 0;
}

}  // namespace bench
