#include "programs/host_switch/static_forward.hpp"

#include <algorithm>
#include <expected>
#include <set>
#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "base/backoff.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "net/endpoint.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/settings.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/subnet.hpp"
#include "protocols/forwarder_api/forward.hpp"
#include "protocols/forwarder_api/forward_address.hpp"

namespace host_switch {

base::result<forwarder_api::forward> parse_static_forward(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return base::fail("not of the form Host:Port=Guest:Port");
  forwarder_api::forward made{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)), "tcp"};
  if (auto listen = forwarder_api::parse_local(made.local); !listen) return std::unexpected(listen.error());
  if (!forwarder_api::parse_remote(made.remote))
    return base::fail("the guest's side must be an IPv4 address and a port");
  return made;
}

base::result<> check_listeners(const std::vector<forwarder_api::forward>& all) {
  std::set<net::endpoint> taken;
  for (const auto& one : all) {
    const auto at = forwarder_api::parse_local(one.local);
    if (!at) return std::unexpected(at.error());
    if (!taken.insert(*at).second) return base::fail("-port-forward: " + one.local + " is given twice");
  }
  return {};
}

base::result<> check_targets(const std::vector<forwarder_api::forward>& all, const subnet& network,
                             const std::vector<netstack::nat_entry>& aliases) {
  for (const auto& one : all) {
    const auto to = forwarder_api::parse_remote(one.remote);
    if (!to) return std::unexpected(to.error());
    if (!network.contains(to->ip))
      return base::fail("-port-forward: " + one.remote + " is not a machine of " + network.to_string());
    const bool is_alias =
        std::ranges::find(aliases, netstack::ipv4::from_net(to->ip), &netstack::nat_entry::inside) != aliases.end();
    if (is_alias || to->ip == network.gateway())
      return base::fail("-port-forward: " + one.remote + " is this host, not a VM");
  }
  return {};
}

async::task<> keep_trying(forwarder* forwards, forwarder_api::forward wanted) {
  using namespace std::chrono_literals;
  const base::backoff pause{.first = 100ms, .cap = 1000ms, .jitter = 0};
  base::log::episode trouble("forwarder", "cannot forward local=" + base::printable(wanted.local));
  for (unsigned failures = 1;; ++failures) {
    const auto done = forwards->expose_static(wanted);
    trouble.note(done);
    if (done) co_return;
    co_await async::sleep_for(pause.delay(failures, 0));
  }
}

}  // namespace host_switch
