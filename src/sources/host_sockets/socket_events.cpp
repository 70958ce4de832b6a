#include "sources/host_sockets/socket_events.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/bpf/program.hpp"
#include "kernel/bpf/ring.hpp"
#include "kernel/netlink/sock_diag.hpp"
#include "net/protocol.hpp"

namespace host_sockets {
namespace {

constexpr const char* component = "listeners";

int make_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  return fd;
}

async::task<> wait_readable(async::asio::posix::stream_descriptor& fd) {
  co_await fd.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
}

}  // namespace

socket_events::socket_events(const async::executor& where, netlink::port_range ignored_ports, event_mode how)
    : any_(where, make_epoll()) {
  if (how == event_mode::nothing) {
    is_complete_ = false;
    return;
  }
  probe_ring(ignored_ports);
  probe_closings(ignored_ports);
}

void socket_events::report_unavailable(std::string_view what, const base::error& why) {
  base::log::info(component, "the kernel does not report {}, scanning every second reason=\"{}\"", what, why.message());
  is_complete_ = false;
}

// Attaches a program that `load` makes for our namespace or, if the kernel is too old for that, for all namespaces.
template <class Load>
bool socket_events::attach(Load load, const char* what) {
  auto made = load(own_);
  if (!made && own_ != bpf::every_namespace && made.error().code == std::errc::invalid_argument) {
    fall_back_to_all_namespaces(made.error());
    made = load(own_);
  }
  if (!made) {
    report_unavailable(what, made.error());
    return false;
  }
  programs_.push_back(std::move(*made));
  return true;
}

void socket_events::fall_back_to_all_namespaces(const base::error& why) {
  own_ = bpf::every_namespace;
  base::log::info(component, "sockets of every network namespace wake the agent reason=\"{}\"", why.message());
}

void socket_events::probe_ring(netlink::port_range ignored_ports) {
  auto made = bpf::ring::create();
  if (!made) return report_unavailable("opened sockets", made.error());
  ring_.emplace(std::move(*made));
  watch(ring_->fd(), EPOLL_CTL_ADD);
  const auto own = bpf::own_namespace();
  own_ = own.value_or(bpf::every_namespace);
  if (!own) fall_back_to_all_namespaces(own.error());
  const int fd = ring_->fd();
  const bool listens = attach([fd](auto where) { return bpf::notify_tcp_listens(fd, where); }, "TCP listeners");
  reports_closes_ =
      listens && attach([fd](auto where) { return bpf::notify_tcp_closes(fd, where); }, "closed TCP listeners");
  for (const bool v6 : {false, true})
    attach([=](auto where) { return bpf::notify_udp_binds(fd, where, v6, ignored_ports.first, ignored_ports.last); },
           v6 ? "bound UDP sockets (IPv6)" : "bound UDP sockets");
  if (!programs_.empty() && !bpf::sees_all_groups())
    report_unavailable("all sockets", {{}, "in a namespace of control groups"});
}

// The group would report every closed TCP connection, so it is used only if the programs cannot report closes.
void socket_events::probe_closings(netlink::port_range ignored_ports) {
  if (!reports_closes_) subscribe(net::protocol::tcp, {});
  subscribe(net::protocol::udp, ignored_ports);
}

void socket_events::subscribe(net::protocol protocol, netlink::port_range ignored_ports) {
  auto closed = netlink::watch_closed(protocol, ignored_ports);
  if (!closed) return report_unavailable(fmt::format("closed {} sockets", net::to_string(protocol)), closed.error());
  watch(closed->fd(), EPOLL_CTL_ADD);
  closings_.push_back(std::move(*closed));
}

// One report each: a thousand sockets that close before the next scan wake the agent once.
void socket_events::watch(int fd, int operation) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  ::epoll_ctl(any_.native_handle(), operation, fd, &event);
}

async::task<> socket_events::wait_until(async::clock::time_point deadline) {
  const auto happened = co_await async::until(deadline, wait_readable(any_));
  std::array<epoll_event, 8> reported;
  if (happened) ::epoll_wait(any_.native_handle(), reported.data(), reported.size(), 0);
}

bool socket_events::forget() {
  const bool notified = ring_ && ring_->take_all();
  if (ring_) watch(ring_->fd(), EPOLL_CTL_MOD);
  for (const auto& closed : closings_) {
    closed.discard_notices();
    watch(closed.fd(), EPOLL_CTL_MOD);
  }
  return notified;
}

}  // namespace host_sockets
