#include "programs/host_switch/host_switch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string_view>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "http/server.hpp"
#include "kernel/netlink/route.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/signals.hpp"
#include "program/command_line.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "program/rights.hpp"
#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/api_device.hpp"
#include "programs/host_switch/api_server.hpp"
#include "programs/host_switch/control_api.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/kernel_network.hpp"
#include "programs/host_switch/link_source.hpp"
#include "programs/host_switch/static_forward.hpp"
#include "programs/host_switch/subnet.hpp"
#include "programs/host_switch/virtual_network.hpp"
#include "relay/descriptor_budget.hpp"

namespace host_switch {
namespace {

constexpr auto description =
    "The host's end of a VM's network. It takes the VM's Ethernet frames (-listen) and turns its connections into "
    "sockets of this host. It gives the VM an address (DHCP) and answers its DNS questions. It also listens on this "
    "host on the ports that the guest agent of the VM exposes, and relays TCP and UDP to the VM.\n\n"
    "The agent uses an HTTP API at the gateway's address, which serves the VM only: POST /services/forwarder/expose "
    "and "
    "/services/forwarder/unexpose, GET /services/forwarder/all, as in gvisor-tap-vsock. 0.0.0.0 also listens on IPv6."
    "\n\n"
    "With -network kernel it takes no frames: the kernel must route to the VM, over a veth or a tap interface.";

// The API's connections use the reserve that the relays leave. The agent keeps some open and notices the end of this
// program by theirs. Each end on our side would wake both of them; a caller that needs the place gets it before.
http::server_limits api_limits() {
  const auto reserve = relay::descriptor_budget::of_process().reserve();
  return {.connections = std::clamp<std::size_t>(reserve / 2, 16, 256),
          .body_bytes = 64 << 10,
          .idle = std::chrono::minutes(10)};
}

std::size_t most_forwards() {
  constexpr std::size_t most = 16'384;
  return std::min(most, relay::descriptor_budget::of_process().capacity(relay::descriptor_use::listener));
}

// Whether the API can be served at all; serve_api() opens the socket that it keeps.
base::result<> try_to_listen(kernel_network& network) {
  const auto device = find_device(network.api().ip);
  if (!device) return std::unexpected(device.error());
  if (const auto listener = network.open_api_socket(*device); !listener) return std::unexpected(listener.error());
  return {};
}

async::task<http::answer> handle(forwarder* served, http::incoming in) {
  co_return http::answer{served->answer(in.head, in.peer), {}};
}

async::task<http::answer> handle_owner(control_api* served, http::incoming in) {
  co_return http::answer{served->answer(in.head), {}};
}

async::task<> record_on_signal(virtual_network* network) {
  while (true) {
    co_await os::user_signal();
    network->toggle_recording();
  }
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
  flags.add(
      "network", way_, parse_way, "virtual",
      "The `way` packets reach the VM: \"virtual\", as Ethernet frames that this program ends, or \"kernel\", by the "
      "host's own routes.");
  virtual_.declare(flags);
  flags.add("control-socket", control_socket_, program::own_socket_path, "",
            "A UNIX socket at this `path`, mode 0600, with the API and the state of the virtual network: leases, "
            "stations, counters, /metrics.");
  metrics_.declare(flags);
}

base::result<host_switch::way> host_switch::parse_way(std::string_view text) {
  if (text == "virtual") return way::through_frames;
  if (text == "kernel") return way::through_kernel;
  return base::fail("neither \"virtual\" nor \"kernel\"");
}

base::result<> host_switch::check_virtual_network() const {
  if (api_) return base::fail("-api-address needs -network kernel: the virtual network's API is at the gateway");
  if (auto valid = virtual_.check(vm_network_); !valid) return valid;
  if (auto valid = check_targets(static_forwards_, vm_network_, virtual_.plane(vm_network_).stack.nat); !valid)
    return valid;
  return link_source::check_descriptors(virtual_.listen);
}

base::result<> host_switch::check(const program::command_line& line) {
  if (auto valid = check_listeners(static_forwards_); !valid) return valid;
  if (way_ == way::through_frames && line.is_set("metrics-socket"))
    return base::fail("-metrics-socket needs -network kernel: the virtual network's metrics are at -control-socket");
  if (way_ == way::through_frames) return check_virtual_network();
  for (const auto* name : {"listen", "mtu", "dns-zone", "dns-aaaa", "dhcp-lease", "nat", "source-address", "vm-network",
                           "pcap", "control-socket"})
    if (line.is_set(name)) return base::fail(fmt::format("-{} needs -network virtual", name));
  return {};
}

program::rights host_switch::needs() const {
  return {{program::low_ports, program::large_buffers, program::foreign_files}, program::calls_of_service()};
}

base::result<> host_switch::open_kernel_network() {
  auto made = std::make_unique<kernel_network>(api());
  policy_ = std::make_unique<access_policy>(vm_network_, api(), api_hosts_, netlink::is_local_address);
  const auto tried = try_to_listen(*made);
  kernel_ = made.get();
  network_ = std::move(made);
  return tried || may_pass(tried.error().code) ? base::result<>{} : tried;
}

// An address of the virtual network never belongs to this host, whatever the host's other networks are.
base::result<> host_switch::open_virtual_network(const async::executor& where) {
  auto made = virtual_network::open(where, vm_network_, virtual_);
  if (!made) return std::unexpected(made.error());
  policy_ = std::make_unique<access_policy>(
      vm_network_, api(), api_hosts_, [](const net::address&) -> base::result<bool> { return false; },
      access_policy::remotes::of_caller);
  frames_ = made->get();
  network_ = std::move(*made);
  return {};
}

base::result<> host_switch::open_control_socket() {
  if (control_socket_.empty()) return {};
  auto claimed = os::claimed_unix_path::claim(control_socket_);
  if (!claimed) return std::unexpected(claimed.error());
  control_ = std::make_unique<os::claimed_unix_path>(std::move(*claimed));
  control_api_ = std::make_unique<control_api>(*frames_, *forwards_);
  return {};
}

base::result<> host_switch::open(const async::executor& where) {
  auto opened = way_ == way::through_frames ? open_virtual_network(where) : open_kernel_network();
  if (!opened) return opened;
  forwards_ = std::make_unique<forwarder>(*network_, *policy_, most_forwards());
  if (auto done = open_control_socket(); !done) return done;
  if (auto done = metrics_.open(); !done) return done;
  return open_static_forwards();
}

void host_switch::start_virtual_network(async::task_group& tasks) {
  frames_->start(tasks);
  tasks.spawn("recording", record_on_signal(frames_));
  if (!control_) return;
  const http::handler handler = [served = &*control_api_](http::incoming in) {
    return handle_owner(served, std::move(in));
  };
  base::unique_fd listening(::fcntl(control_->fd(), F_DUPFD_CLOEXEC, 0));
  tasks.spawn("control socket", http::serve(std::move(listening), handler, api_limits()));
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
  if (frames_ != nullptr) start_virtual_network(tasks);
  if (kernel_ != nullptr) metrics_.start(tasks, info().name, [from = kernel_] { return from->ports(); });
  const auto links = frames_ == nullptr ? std::string() : " links=" + frames_->listens();
  return fmt::format("api={} static={}{}", net::to_string(api()), static_forwards_.size(), links);
}

}  // namespace host_switch
