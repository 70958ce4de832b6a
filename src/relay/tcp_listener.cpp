#include "relay/tcp_listener.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/log.hpp"
#include "relay/sockets.hpp"
#include "relay/tcp_relay.hpp"

namespace relay {
namespace {

constexpr int accepted_at_once = 16;
constexpr std::chrono::milliseconds pause_for{50};

}  // namespace

tcp_listener::tcp_listener(tcp_relay& owner, base::unique_fd fd, const stream_target& target)
    : owner_(owner), fd_(std::move(fd)), target_(target) {}

tcp_listener::~tcp_listener() {
  *alive_ = false;
  owner_.loop_.unwatch(fd_.get());
}

bool tcp_listener::watch() { return owner_.loop_.watch(fd_.get(), *this, 0, EPOLLIN); }

void tcp_listener::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  for (int i = 0; i < accepted_at_once; ++i) {
    if (!owner_.reserve()) return pause(errno);
    base::unique_fd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client && out_of_resources(errno)) return pause(errno);
    if (!client) return;
    if (target_.only_cid != 0 && peer_cid(client.get()) != target_.only_cid) continue;
    owner_.deal(std::move(client), target_);
  }
}

void tcp_listener::pause(int error_number) {
  if (owner_.short_.begins(owner_.loop_.now()))
    base::log::warn("relay", "cannot accept for now, will go on by itself reason=\"{}\"", std::strerror(error_number));
  owner_.loop_.change(fd_.get(), *this, 0, 0);
  owner_.loop_.every(pause_for, [this, alive = alive_] {
    if (*alive) owner_.loop_.change(fd_.get(), *this, 0, EPOLLIN);
    return false;
  });
}

}  // namespace relay
