#include "sources/listeners/socket_events.hpp"

#include <sys/epoll.h>

#include <array>
#include <system_error>

#include "base/log.hpp"
#include "io/timeout.hpp"

namespace listeners {
namespace {

constexpr const char* component = "listeners";

int make_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  return fd;
}

io::task<> wait_readable(io::asio::posix::stream_descriptor& fd) {
  co_await fd.async_wait(io::asio::posix::stream_descriptor::wait_read, io::nothrow);
  co_await io::check_cancelled();
}

}  // namespace

socket_events::socket_events(const io::executor& where, netlink::port_range unheard, by how)
    : any_(where, make_epoll()) {
  if (how == by::nothing) {
    tells_all_ = false;
    return;
  }
  probe_ring(unheard);
  probe_closings(unheard);
}

bool socket_events::attach(base::result<bpf::attachment> made, const char* what) {
  if (!made) {
    base::log::info(component, "the kernel does not tell of {}, looking every second reason=\"{}\"", what,
                    made.error().message());
    tells_all_ = false;
    return false;
  }
  programs_.push_back(std::move(*made));
  return true;
}

void socket_events::probe_ring(netlink::port_range unheard) {
  auto made = bpf::ring::create();
  if (!made) {
    base::log::info(component,
                    "the kernel does not tell of sockets that are opened, looking every second reason=\"{}\"",
                    made.error().message());
    tells_all_ = false;
    return;
  }
  ring_.emplace(std::move(*made));
  watch(ring_->fd(), EPOLL_CTL_ADD);
  tells_tcp_ = attach(bpf::tell_tcp_listeners(ring_->fd()), "TCP listeners");
  if (attach(bpf::tell_udp_binds(ring_->fd(), false, unheard.first, unheard.last), "UDP sockets that are bound"))
    attach(bpf::tell_udp_binds(ring_->fd(), true, unheard.first, unheard.last), "UDP sockets that are bound (IPv6)");
}

// The tracepoint tells of closed TCP listeners too, and of those alone; the group would tell of every connection.
void socket_events::probe_closings(netlink::port_range unheard) {
  if (!tells_tcp_) subscribe(net::protocol::tcp, {});
  subscribe(net::protocol::udp, unheard);
}

void socket_events::subscribe(net::protocol protocol, netlink::port_range unheard) {
  auto fd = netlink::watch_closed(protocol, unheard);
  if (!fd) {
    base::log::info(component, "the kernel does not tell of {} sockets that close, looking every second reason=\"{}\"",
                    net::to_string(protocol), fd.error().message());
    tells_all_ = false;
    return;
  }
  watch(fd->get(), EPOLL_CTL_ADD);
  closings_.push_back(std::move(*fd));
}

// One report each: a thousand sockets that close before they are looked at wake nobody a thousand times.
void socket_events::watch(int fd, int operation) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  ::epoll_ctl(any_.native_handle(), operation, fd, &event);
}

io::task<> socket_events::wait_until(io::clock::time_point deadline) {
  const auto happened = co_await io::until(deadline, wait_readable(any_));
  std::array<epoll_event, 8> reported;
  if (happened) ::epoll_wait(any_.native_handle(), reported.data(), reported.size(), 0);
}

bool socket_events::forget() {
  const bool told = ring_ && ring_->take_all();
  if (ring_) watch(ring_->fd(), EPOLL_CTL_MOD);
  for (const auto& fd : closings_) {
    netlink::forget_closed(fd.get());
    watch(fd.get(), EPOLL_CTL_MOD);
  }
  return told;
}

}  // namespace listeners
