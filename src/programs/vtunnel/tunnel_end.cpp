#include "programs/vtunnel/tunnel_end.hpp"

#include <linux/vm_sockets.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>
#include <variant>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/vsock.hpp"
#include "programs/vtunnel/config_codec.hpp"
#include "programs/vtunnel/handshake.hpp"
#include "relay/privileged_port.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"

namespace vtunnel {
namespace {

namespace log = base::log;
using namespace std::chrono_literals;

constexpr std::string_view component = "vtunnel";
constexpr auto between_tries = 1s;
constexpr auto handshake_limit = 5s;

}  // namespace

base::result<base::unique_fd> tunnel_end::listen_on(const net::stream_address& at) {
  if (const auto* e = std::get_if<net::endpoint>(&at)) {
    auto fd = relay::open_listener({.protocol = net::protocol::tcp, .listen = *e, .target = {}});
    if (!fd) {
      const auto& why = fd.error().context;
      return base::fail(fd.error().code, "listen on " + net::to_string(*e) + (why.empty() ? "" : ": " + why));
    }
    return fd;
  }
  const auto* path = std::get_if<net::unix_path>(&at);
  if (path == nullptr) return os::listen_on_vsock(std::get<net::vsock_address>(at));
  auto file = os::claimed_unix_path::claim(path->path);
  if (!file) return std::unexpected(file.error());
  base::unique_fd fd(::dup(file->fd()));
  files_.push_back(std::move(*file));
  return fd;
}

base::result<> tunnel_end::open_peer() {
  for (const auto& t : tunnels_) {
    auto handshake = listen_on(at_cid(t.handshake, VMADDR_CID_ANY));
    if (!handshake) return std::unexpected(handshake.error());
    auto peer = listen_on(t.peer);
    if (!peer) return std::unexpected(peer.error());
    const auto target = at_cid(t.data, cid_);
    const relay::stream_target to{net::to_sockaddr(target), relay::tunnel_side::target, 0};
    auto& guard = guards_.emplace_back(t.peer);
    guard.stand_before(peer->get());
    const auto admit = [&guard](int client) { return guard.admits(client); };
    if (auto done = relays_.adopt(std::move(*peer), to, admit); !done) return done;
    handshakes_.push_back(std::move(*handshake));
    log::info(component, "listening tunnel={} on={} host={}", t.name, net::to_string(t.peer), net::to_string(target));
  }
  return {};
}

async::task<> tunnel_end::run_peer() {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  for (auto& fd : handshakes_) tasks.spawn("handshake", answer_handshakes(std::move(fd)));
  for (auto& guard : guards_) tasks.spawn("guard", guard.keep());
  co_await tasks.join_or_stop();
}

base::result<> tunnel_end::open_host(const tunnel& t) {
  const auto at = at_cid(t.data, VMADDR_CID_ANY);
  auto fd = listen_on(at);
  if (!fd) return std::unexpected(fd.error());
  const std::uint32_t only = std::holds_alternative<net::vsock_address>(at) ? cid_ : 0;  // the VM of the handshake
  const relay::stream_target target{net::to_sockaddr(t.upstream), relay::tunnel_side::client, only};
  const relay::admission admit = root_only_ ? relay::is_from_privileged_port : relay::admission();
  if (auto done = relays_.adopt(std::move(*fd), target, admit); !done) return done;
  log::info(component, "listening tunnel={} on={} upstream={}", t.name, net::to_string(at), net::to_string(t.upstream));
  return {};
}

async::task<> tunnel_end::run_host_tunnel(const tunnel* t) {
  const auto peer = at_cid(t->handshake, cid_);
  log::episode no_handshake(std::string(component), "no handshake tunnel=" + t->name);
  log::episode no_listener(std::string(component), "cannot listen tunnel=" + t->name);
  while (true) {
    const auto shaken = co_await shake_hands(peer, handshake_limit);
    no_handshake.note(shaken);
    if (shaken) break;
    co_await async::sleep_for(between_tries);
  }
  log::info(component, "handshake done tunnel={} with={}", t->name, net::to_string(peer));
  while (true) {
    const auto opened = open_host(*t);
    no_listener.note(opened);
    if (opened) co_return;
    co_await async::sleep_for(between_tries);
  }
}

async::task<> tunnel_end::run_host() {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  for (const auto& t : tunnels_) tasks.spawn("tunnel " + t.name, run_host_tunnel(&t));
  co_await tasks.join_or_stop();
}

}  // namespace vtunnel
