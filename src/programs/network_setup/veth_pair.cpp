#include "programs/network_setup/veth_pair.hpp"

#include <chrono>
#include <expected>
#include <random>
#include <system_error>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/backoff.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
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

constexpr const char* component = "network-setup";
constexpr base::backoff pauses{.first = std::chrono::milliseconds(100), .cap = std::chrono::seconds(5)};
constexpr std::chrono::seconds long_enough{30};  // a pair of this age ends a series of removals

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

// True if the pair was not there, or not complete after a failure.
bool veth_keeper::restore() {
  const auto found = netlink::find_interface(default_end);
  const bool gone = !found && found.error().code == std::errc::no_such_device;
  if (!keeps_ || (!gone && !trouble_.active())) return false;
  const auto made = make_veth_pair(engine_namespace_);
  trouble_.note(made);
  if (made && gone)
    base::log::throttled(removals_, base::log::level::warn, component,
                         "another program removed the interfaces, made them again interface={}", default_end);
  return true;
}

async::task<> veth_keeper::run(async::executor where) {
  base::log::episode blind(component, "no watch of the interfaces");
  auto watch = netlink::interface_watch::open(where);
  for (; !watch; watch = netlink::interface_watch::open(where)) {
    blind.note(std::unexpected(watch.error()));
    restore();
    co_await async::sleep_for(pauses.cap);
  }
  blind.note({});
  auto made_at = async::clock::now();
  for (unsigned removals = 0;;) {
    if (!restore()) {
      co_await watch->changed();
      continue;
    }
    const auto now = async::clock::now();
    removals = now - made_at >= long_enough ? 1 : removals + 1;
    made_at = now;
    co_await async::sleep_for(pauses.delay(removals, std::random_device{}()));
  }
}

}  // namespace network_setup
