#include "programs/host_switch/kernel_network.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/address_watch.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "os/acceptor.hpp"
#include "programs/host_switch/api_device.hpp"
#include "relay/listener_set.hpp"

namespace host_switch {
namespace {

constexpr async::clock::duration between_tries = std::chrono::milliseconds(500);
constexpr async::clock::duration between_checks = std::chrono::seconds(10);
constexpr async::clock::duration unannounced_pause = std::chrono::seconds(1);  // if the kernel announces no addresses

// Linux 5.7 and later ask for no capability, if the socket is bound to no other interface.
base::result<> bind_to_device(int fd, const std::string& name) {
  if (::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), static_cast<socklen_t>(name.size())) == 0) return {};
  return base::fail_errno("bind to " + name);
}

}  // namespace

kernel_network::kernel_network(net::endpoint api) : api_(api), relays_({.shards = relay::shards_for_processors()}) {}

base::result<std::unique_ptr<os::acceptor>> kernel_network::listen_for_api(const async::executor& where) {
  watch_addresses(where);  // before find_device(), so that no change is missed
  const auto device = find_device(api_.ip);
  auto listening = device ? open_api_socket(*device) : std::unexpected(device.error());
  if (!listening) return std::unexpected(listening.error());
  device_ = *device;
  base::log::info("api", "listening api={} interface={}", net::to_string(api_), device_ ? device_->name : "any");
  return std::make_unique<os::socket_acceptor>(where, std::move(*listening), "api");
}

void kernel_network::watch_addresses(const async::executor& where) {
  if (watch_) return;
  auto opened = netlink::address_watch::open(where);
  if (opened) watch_ = std::make_unique<netlink::address_watch>(std::move(*opened));
}

async::task<> kernel_network::address_change(async::clock::duration limit) {
  if (!watch_) co_return co_await async::sleep_for(std::min(limit, unannounced_pause));
  static_cast<void>(co_await async::within(limit, watch_->changed()));
}

// While the interfaces cannot be read, the API stays where it is.
async::task<> kernel_network::api_moves() {
  while (true) {
    const auto now = find_device(api_.ip);
    if (now && *now != device_) co_return;
    co_await address_change(between_checks);
  }
}

async::task<> kernel_network::api_may_return() { co_await address_change(between_tries); }

// SO_REUSEPORT is set after bind(): then bind() fails if a second host-switch, or another program, has the port, and a
// wildcard of this program can still share it later. It is set before bind() only if such a wildcard exists already.
base::result<base::unique_fd> kernel_network::open_api_socket(const std::optional<api_device>& device) {
  base::unique_fd fd(::socket(api_.ip.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto set = [&fd](int level, int name) {
    const int one = 1;
    return ::setsockopt(fd.get(), level, name, &one, sizeof one) == 0;
  };
  if (!fd || !set(SOL_SOCKET, SO_REUSEADDR) || !set(IPPROTO_IP, IP_FREEBIND)) return base::fail_errno("socket option");
  if (device)
    if (auto bound = bind_to_device(fd.get(), device->name); !bound) return std::unexpected(bound.error());
  if (holds_a_wildcard(net::protocol::tcp, api_.port)) set(SOL_SOCKET, SO_REUSEPORT);
  const auto address = net::to_sockaddr(api_);
  const bool bound = ::bind(fd.get(), address.get(), address.size) == 0;
  if (!bound || !set(SOL_SOCKET, SO_REUSEPORT) || ::listen(fd.get(), 1024) != 0)
    return base::fail_errno("listen tcp " + net::to_string(api_));
  return fd;
}

bool kernel_network::holds_a_wildcard(net::protocol protocol, std::uint16_t port) const {
  return relays_.contains(protocol, {net::address::any_v4(), port}) ||
         relays_.contains(protocol, {net::address::any_v6(), port});
}

base::result<> kernel_network::forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) {
  const bool wildcard = host.ip.is_unspecified();
  const bool shares_the_api_port = wildcard && protocol == net::protocol::tcp && host.port == api_.port;
  if (shares_the_api_port && holds_a_wildcard(protocol, host.port))
    return base::fail(std::errc::address_in_use, "");  // the kernel would let a second wildcard share it
  return relays_.add(
      {.protocol = protocol, .listen = host, .target = vm, .dual_stack = wildcard, .reuse_port = shares_the_api_port});
}

void kernel_network::stop(net::protocol protocol, const net::endpoint& host) { relays_.remove(protocol, host); }

}  // namespace host_switch
