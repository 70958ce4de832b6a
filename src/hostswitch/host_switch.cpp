#include "hostswitch/host_switch.hpp"

#include <boost/asio/io_context.hpp>

#include "base/log.hpp"
#include "base/program.hpp"
#include "base/text.hpp"
#include "hostswitch/forwarder.hpp"
#include "http/server.hpp"
#include "io/signals.hpp"
#include "io/task_group.hpp"

namespace hostswitch {
namespace {

constexpr const char* description =
    "Listens on this host for the ports that the guest agent of a VM exposes, and relays TCP and UDP to the VM. The "
    "agent asks "
    "over HTTP at the gateway's address, which only the VM's network reaches: POST /services/forwarder/expose and "
    "/services/forwarder/unexpose, GET /services/forwarder/all, as gvisor-tap-vsock has them.\n\n"
    "The kernel must route to the VM, over a veth or a tap interface. A port on 0.0.0.0 is listened to for IPv6 as "
    "well.";

struct options {
  bool debug = false;
  std::string subnet = "192.168.127.0/24";
  std::vector<std::string> port_forwards;
  std::string api_address;
};

struct settings {
  net::endpoint api;
  std::vector<forward_request> static_forwards;
};

void add_flags(base::flag_set& flags, options& o) {
  flags.add("debug", o.debug, "Write debug lines to the log too.");
  flags.add("subnet", o.subnet,
            "The virtual network as a `CIDR`. Its first address is the gateway's, where the API listens on port 80.");
  flags.add("port-forward", o.port_forwards,
            "A forward that is there from the start, as `Host:Port=Guest:Port`, for instance "
            "127.0.0.1:2222=192.168.127.2:22. May be given several times.");
  flags.add("api-address", o.api_address, "The `address` (IP:PORT) at which the API listens instead.");
}

base::result<settings> validate(const options& o, const base::flag_set& flags) {
  if (!flags.rest().empty()) return base::fail("unexpected argument: " + base::printable(flags.rest().front()));
  const auto gateway = parse_gateway(o.subnet);
  if (!gateway)
    return base::fail("invalid value \"" + base::printable(o.subnet) +
                      "\" for flag -subnet: " + gateway.error().message());
  settings made{{*gateway, 80}, {}};
  if (!o.api_address.empty()) {
    const auto api = net::parse_endpoint(o.api_address);
    if (!api || api->port == 0)
      return base::fail("invalid value \"" + base::printable(o.api_address) + "\" for flag -api-address: not IP:PORT");
    made.api = *api;
  }
  for (const auto& text : o.port_forwards) {
    auto forward = parse_static_forward(text);
    if (!forward)
      return base::fail("invalid value \"" + base::printable(text) +
                        "\" for flag -port-forward: " + forward.error().message());
    made.static_forwards.push_back(std::move(*forward));
  }
  return made;
}

io::task<http::answer> handle(forwarder* served, http::incoming in) {
  co_return http::answer{served->answer(in.head, in.peer), {}};
}

io::task<> stop_on_signal(boost::asio::io_context& context) {
  const int number = co_await io::stop_signal();
  base::log::info("host-switch", "stopping signal={}", number);
  context.stop();
}

int serve(const settings& wanted) {
  base::raise_descriptor_limit();
  kernel_network network(wanted.api);
  forwarder forwards(network);
  auto listener = network.listen_for_api();
  if (!listener) return base::report_failure("host-switch", listener.error().message());
  for (const auto& f : wanted.static_forwards)
    if (auto made = forwards.expose(f); !made) return base::report_failure("host-switch", made.error().message());
  boost::asio::io_context context(1);
  io::task_group tasks(context.get_executor());
  forwarder* const served = &forwards;
  const http::handler handler = [served](http::incoming in) { return handle(served, std::move(in)); };
  tasks.spawn("signals", stop_on_signal(context));
  tasks.spawn("api", http::serve(std::move(*listener), handler));
  base::log::info("host-switch", "serving api={} static={}", net::to_string(wanted.api), wanted.static_forwards.size());
  context.run();
  return base::exit_ok;
}

}  // namespace

int run(int argc, const char* const* argv) {
  options o;
  base::flag_set flags("host-switch", "[flags]", description);
  add_flags(flags, o);
  if (const auto code = base::parse_command_line(flags, argc, argv)) return *code;
  const auto wanted = validate(o, flags);
  if (!wanted) return base::report_failure("host-switch", wanted.error().message(), base::exit_usage);
  if (o.debug) base::log::set_level(base::log::level::debug);
  return serve(*wanted);
}

}  // namespace hostswitch
