#include "programs/network_setup/veth_pair.hpp"

#include <system_error>

#include "base/result.hpp"
#include "kernel/netlink/interface.hpp"
#include "net/address.hpp"
#include "os/namespaces.hpp"

namespace network_setup {
namespace {

constexpr const char* default_end = "veth-rd-wsl";
constexpr const char* engine_end = "veth-rd-ns";
constexpr auto default_address = net::address::v4(192, 168, 143, 2);
constexpr auto engine_address = net::address::v4(192, 168, 143, 1);
constexpr unsigned prefix_length = 24;

base::result<> bring_up(const char* name, const net::address& ip) {
  if (auto done = netlink::add_address(name, ip, prefix_length); !done) return done;
  return netlink::change_interface(name, {.up = true});
}

}  // namespace

base::result<> remove_veth_pair() {
  auto done = netlink::remove_interface(default_end);
  if (!done && done.error().code == std::errc::no_such_device) return {};
  return done;
}

base::result<> make_veth_pair(int engine_namespace) {
  if (auto done = remove_veth_pair(); !done) return done;
  if (auto done = netlink::add_veth(default_end, engine_end, engine_namespace); !done) return done;
  auto done = os::in_net_namespace(engine_namespace, [] { return bring_up(engine_end, engine_address); });
  if (!done) return done;
  return bring_up(default_end, default_address);
}

}  // namespace network_setup
