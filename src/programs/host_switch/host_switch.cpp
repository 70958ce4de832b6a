#include "programs/host_switch/host_switch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <expected>
#include <memory>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "http/server.hpp"
#include "kernel/netlink/route.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "program/command_line.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/api_device.hpp"
#include "programs/host_switch/api_server.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/kernel_network.hpp"
#include "programs/host_switch/static_forward.hpp"
#include "programs/host_switch/subnet.hpp"
#include "relay/descriptor_budget.hpp"

namespace host_switch {
namespace {

constexpr auto description =
    "Listens on this host on the ports that the guest agent of a VM exposes, and relays TCP and UDP to the VM. The "
    "agent uses an HTTP API at the gateway's address, which serves the VM's network only: POST "
    "/services/forwarder/expose and /services/forwarder/unexpose, GET /services/forwarder/all, as in "
    "gvisor-tap-vsock.\n\n"
    "The kernel must route to the VM, over a veth or a tap interface. 0.0.0.0 also listens on IPv6.";

// The API's connections use the reserve that the relays leave.
http::server_limits api_limits() {
  const auto reserve = relay::descriptor_budget::of_process().reserve();
  return {.connections = std::clamp<std::size_t>(reserve / 2, 16, 256), .body_bytes = 64 << 10};
}

std::size_t most_forwards() {
  constexpr std::size_t most = 16'384;
  return std::min(most, relay::descriptor_budget::of_process().capacity(relay::descriptor_use::listener));
}

// Whether the API can be served at all; serve_api() opens the socket that stays.
base::result<> try_to_listen(kernel_network& network) {
  const auto device = find_device(network.api().ip);
  if (!device) return std::unexpected(device.error());
  if (const auto listener = network.open_api_socket(*device); !listener) return std::unexpected(listener.error());
  return {};
}

async::task<http::answer> handle(forwarder* served, http::incoming in) {
  co_return http::answer{served->answer(in.head, in.peer), {}};
}

}  // namespace

program::about host_switch::info() const { return {.name = "host-switch", .description = description}; }

void host_switch::declare(program::flag_set& flags) {
  flags.add("subnet", vm_network_, subnet::parse, "192.168.127.0/24",
            "The virtual network as a `CIDR`. Its first address is the gateway's, where the API listens on port 80. "
            "Clients of "
            "the API, and the addresses they may relay to, are in it.");
  flags.add("port-forward", static_forwards_, parse_static_forward,
            "A forward that exists from the start, as `Host:Port=Guest:Port`, for instance "
            "127.0.0.1:2222=192.168.127.2:22. May be given several times.");
  flags.add("api-address", api_, program::endpoint, "", "The `address` (IP:PORT) where the API listens instead.");
  flags.add("api-host", api_hosts_, parse_host_name,
            "A further `name` that clients may use for the API, besides its address and names under .internal. May "
            "be given several times.");
}

base::result<> host_switch::open(const async::executor&) {
  network_ = std::make_unique<kernel_network>(api());
  policy_ = std::make_unique<access_policy>(vm_network_, api(), api_hosts_, netlink::is_local_address);
  forwards_ = std::make_unique<forwarder>(*network_, *policy_, most_forwards());
  if (const auto tried = try_to_listen(*network_); !tried && !may_pass(tried.error().code)) return tried;
  return open_static_forwards();
}

base::result<> host_switch::open_static_forwards() {
  for (const auto& f : static_forwards_) {
    auto made = forwards_->expose_static(f);
    if (made) continue;
    if (!may_pass(made.error().code)) return made;
    busy_forwards_.push_back(f);
  }
  return {};
}

bool host_switch::admits(const net::address& client) {
  const auto allowed = policy_->check_client(client);
  if (!allowed)
    base::log::throttled(strangers_, base::log::level::warn, "api", "refused a connection reason=\"{}\"",
                         allowed.error().message());
  return allowed.has_value();
}

std::string host_switch::start(async::task_group& tasks) {
  forwarder* const served = forwards_.get();
  const http::handler handler = [served](http::incoming in) { return handle(served, std::move(in)); };
  tasks.spawn("api", serve_api(network_.get(), handler, api_limits(),
                               [this](const net::address& client) { return admits(client); }));
  for (const auto& f : busy_forwards_) tasks.spawn("static forward", keep_trying(served, f));
  return fmt::format("api={} static={}", net::to_string(api()), static_forwards_.size());
}

}  // namespace host_switch
