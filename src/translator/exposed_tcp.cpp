#include "translator/exposed_tcp.hpp"

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "netstack/stack/flow_id.hpp"
#include "os/acceptor.hpp"
#include "relay/port_share.hpp"
#include "relay/sockets.hpp"
#include "translator/client_source.hpp"
#include "translator/shared.hpp"
#include "translator/tcp_flows.hpp"

namespace translator {
namespace {

constexpr int accepted_at_once = 16;
constexpr std::chrono::milliseconds pause_for{50};

}  // namespace

exposed_tcp::exposed_tcp(tcp_flows& flows, const client_source& sources, base::unique_fd listening,
                         netstack::endpoint vm)
    : flows_(flows),
      sources_(sources),
      fd_(std::move(listening)),
      vm_(vm),
      share_(std::make_shared<relay::port_share>(flows.common().budget)) {}

void exposed_tcp::close() {
  *alive_ = false;
  flows_.common().loop.unwatch(fd_.get());
  fd_.reset();
}

bool exposed_tcp::watch() { return flows_.common().loop.watch(fd_.get(), *this, 0, EPOLLIN); }

void exposed_tcp::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  if (!fd_) return;
  for (int i = 0; i < accepted_at_once; ++i) {
    net::socket_address from;
    auto client = os::accept_pending(fd_.get(), &from);
    if (!client && client.error().code == std::errc::operation_would_block) return;
    if (!client) return pause();
    take(std::move(*client), from);
  }
}

void exposed_tcp::take(base::unique_fd client, const net::socket_address& from) {
  const auto peer = net::from_sockaddr(from);
  auto ticket = share_->admit(peer ? relay::client_of(peer->ip) : net::address());
  if (!peer || !ticket) {
    increment(flows_.common().count.clients_refused);
    return relay::reset_on_close(client.get());
  }
  flows_.open(std::move(client), std::move(ticket), sources_.of(*peer), vm_);
}

void exposed_tcp::pause() {
  auto& loop = flows_.common().loop;
  loop.change(fd_.get(), *this, 0, 0);
  loop.every(pause_for, [this, alive = alive_] {
    if (*alive) flows_.common().loop.change(fd_.get(), *this, 0, EPOLLIN);
    return false;
  });
}

}  // namespace translator
