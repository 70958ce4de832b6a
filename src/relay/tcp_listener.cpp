#include "relay/tcp_listener.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "os/acceptor.hpp"
#include "os/vsock.hpp"
#include "relay/port_share.hpp"
#include "relay/port_traffic.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"
#include "relay/tcp_relay.hpp"

namespace relay {
namespace {

constexpr int accepted_at_once = 16;
constexpr std::chrono::milliseconds pause_for{50};

// One for all listeners of the process: one client can provoke it at thousands of ports.
std::mutex refusals_mutex;
base::log::throttle refusals;

}  // namespace

tcp_listener::tcp_listener(tcp_relay& owner, base::unique_fd fd, const stream_target& target, admission admit,
                           std::shared_ptr<port_traffic> traffic)
    : owner_(owner),
      fd_(std::move(fd)),
      target_(target),
      admit_(std::move(admit)),
      share_(std::make_shared<port_share>(owner.budget_, std::move(traffic))) {}

tcp_listener::~tcp_listener() {
  *alive_ = false;
  owner_.loop_.unwatch(fd_.get());
}

bool tcp_listener::watch() { return owner_.loop_.watch(fd_.get(), *this, 0, EPOLLIN); }

void tcp_listener::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  for (int i = 0; i < accepted_at_once; ++i) {
    if (!owner_.reserve()) return pause(errno);
    net::socket_address from;
    auto client = os::accept_pending(fd_.get(), &from);
    if (!client && client.error().code == std::errc::operation_would_block) return;
    if (!client) return pause(client.error().code.value());
    take(std::move(*client), from);
  }
}

void tcp_listener::take(base::unique_fd client, const net::socket_address& from) {
  if (target_.only_cid != 0 && os::peer_cid(client.get()) != target_.only_cid)
    return refuse(std::move(client), "it comes from another machine");
  if (admit_ && !admit_(client.get())) return refuse(std::move(client), "its owner may not connect");
  const auto peer = net::from_sockaddr(from);
  auto ticket = share_->admit(peer ? client_of(peer->ip) : net::address());
  if (!ticket) return refuse(std::move(client), "this port, or this client, has too many");
  owner_.dispatch(std::move(client), target_, std::move(ticket));
}

void tcp_listener::refuse(base::unique_fd client, const char* why) {
  owner_.count_.refused.fetch_add(1, std::memory_order_relaxed);
  reset_on_close(client.get());
  net::socket_address at;
  const bool known = ::getsockname(fd_.get(), at.get(), &at.size) == 0;
  const auto here = known ? net::from_sockaddr(at) : std::nullopt;
  const std::lock_guard lock(refusals_mutex);
  base::log::throttled(refusals, base::log::level::warn, "relay", "refused a connection reason=\"{}\"{}", why,
                       here ? " at=" + net::to_string(*here) : "");
}

void tcp_listener::pause(int error_number) {
  if (owner_.short_.begins(owner_.loop_.now()))
    base::log::warn("relay", "accept failed, retrying reason=\"{}\"", std::strerror(error_number));
  owner_.loop_.change(fd_.get(), *this, 0, 0);
  owner_.loop_.every(pause_for, [this, alive = alive_] {
    if (*alive) owner_.loop_.change(fd_.get(), *this, 0, EPOLLIN);
    return false;
  });
}

}  // namespace relay
