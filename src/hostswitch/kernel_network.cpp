#include "hostswitch/kernel_network.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace hostswitch {
namespace {

unsigned shard_count() { return std::clamp(std::thread::hardware_concurrency(), 1U, 4U); }

}  // namespace

kernel_network::kernel_network(net::endpoint api) : api_(api), relays_({.shards = shard_count()}) {}

base::result<base::unique_fd> kernel_network::listen_for_api() const {
  base::unique_fd fd(::socket(api_.ip.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int one = 1;
  const std::pair<int, int> options[] = {{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {IPPROTO_IP, IP_FREEBIND}};
  for (const auto& [level, name] : options)
    if (fd && ::setsockopt(fd.get(), level, name, &one, sizeof one) != 0) return base::fail_errno("socket option");
  const auto address = net::to_sockaddr(api_);
  if (!fd || ::bind(fd.get(), address.get(), address.size) != 0 || ::listen(fd.get(), 1024) != 0) return base::fail_errno("listen tcp " + net::to_string(api_));
  return fd;
}

base::result<> kernel_network::forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) {
  const bool wildcard = host.ip.is_unspecified();
  const bool shares_the_api_port = wildcard && protocol == net::protocol::tcp && host.port == api_.port;
  return relays_.add({.protocol = protocol, .listen = host, .target = vm, .dual_stack = wildcard, .reuse_port = shares_the_api_port});
}

void kernel_network::stop(net::protocol protocol, const net::endpoint& host) { relays_.remove(protocol, host); }

}  // namespace hostswitch
