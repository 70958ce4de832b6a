#include "hostswitch/host_switch.hpp"

#include <fmt/format.h>

#include "http/server.hpp"
#include "program/flag_values.hpp"

namespace hostswitch {
namespace {

constexpr auto description =
    "Listens on this host for the ports that the guest agent of a VM exposes, and relays TCP and UDP to the VM. The "
    "agent asks over HTTP at the gateway's address, which only the VM's network reaches: POST "
    "/services/forwarder/expose and /services/forwarder/unexpose, GET /services/forwarder/all, as gvisor-tap-vsock has "
    "them.\n\n"
    "The kernel must route to the VM, over a veth or a tap interface. A port on 0.0.0.0 is listened to for IPv6 as "
    "well.";

io::task<http::answer> handle(forwarder* served, http::incoming in) {
  co_return http::answer{served->answer(in.head, in.peer), {}};
}

}  // namespace

program::about host_switch::what() const { return {.name = "host-switch", .description = description}; }

void host_switch::declare(base::flag_set& flags) {
  flags.add("subnet", gateway_, parse_gateway, "192.168.127.0/24",
            "The virtual network as a `CIDR`. Its first address is the gateway's, where the API listens on port 80.");
  flags.add("port-forward", static_forwards_, parse_static_forward,
            "A forward that is there from the start, as `Host:Port=Guest:Port`, for instance "
            "127.0.0.1:2222=192.168.127.2:22. May be given several times.");
  flags.add("api-address", api_, program::endpoint, "", "The `address` (IP:PORT) at which the API listens instead.");
}

base::result<> host_switch::open(const io::executor&) {
  network_.emplace(api());
  forwards_.emplace(*network_);
  auto listener = network_->listen_for_api();
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  for (const auto& f : static_forwards_)
    if (auto made = forwards_->expose(f); !made) return made;
  return {};
}

std::string host_switch::start(io::task_group& tasks) {
  forwarder* const served = &*forwards_;
  const http::handler handler = [served](http::incoming in) { return handle(served, std::move(in)); };
  tasks.spawn("api", http::serve(std::move(listener_), handler));
  return fmt::format("api={} static={}", net::to_string(api()), static_forwards_.size());
}

}  // namespace hostswitch
