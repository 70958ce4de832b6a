#include "agent/wiring.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "agent/composition.hpp"
#include "agent/controller.hpp"
#include "agent/status_server.hpp"
#include "agent/version.hpp"
#include "base/log.hpp"
#include "base/program.hpp"
#include "base/text.hpp"
#include "io/signals.hpp"
#include "io/task_group.hpp"
#include "io/timeout.hpp"
#include "io/unix_listener.hpp"
#include "sinks/host_switch/host_switch_sink.hpp"
#include "sinks/local_listeners/local_listeners_sink.hpp"
#include "sinks/loopback/loopback_sink.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "sources/containerd/containerd_source.hpp"
#include "sources/docker/docker_source.hpp"
#include "sources/iptables/iptables_source.hpp"
#include "sources/kubernetes/kubernetes_source.hpp"
#include "sources/listeners/listeners_source.hpp"

namespace agent {
namespace {

using namespace std::chrono_literals;

// The supervisor grants five seconds from the signal to the end. What these leave over is for what cannot be waited for
// with a deadline.
constexpr auto drain_limit = 3500ms;
constexpr auto stop_limit = 400ms;
constexpr auto exit_limit = 4800ms;

// Everything that can be found wrong is found before anything is started.
struct configuration {
  options flags;
  settings sound;
  docker::docker_options docker;
};

// What the agent has exposed on a peer that others use too. Without it the agent works, but forgets when it crashes.
std::optional<ports::journal> open_journal(const configuration& c, const std::string& peer) {
  auto opened = ports::journal::open(c.flags.state_directory, peer, ports::read_boot_id());
  if (opened) return std::move(*opened);
  base::log::error("journal", "what is exposed will not be remembered through a crash peer={} reason=\"{}\"", peer,
                   opened.error().message());
  return std::nullopt;
}

std::unique_ptr<ports::reconciler> make_host_switch(const io::executor& where, const configuration& c) {
  host_switch::host_switch_options o{.server = c.sound.host_switch, .tap = c.sound.tap};
  auto sink = std::make_unique<host_switch::host_switch_sink>(std::move(o));
  return std::make_unique<ports::reconciler>(where, std::move(sink), open_journal(c, "host-switch"));
}

std::unique_ptr<ports::reconciler> make_privileged_service(const io::executor& where, const configuration& c) {
  port_mapping::port_mapping_options o;
  o.name = "privileged-service";
  o.peer = c.sound.vtunnel;
  o.interface = c.flags.vm_interface;
  o.address_file = c.flags.state_directory + "/" + o.name + ".addresses";
  auto book = open_journal(c, o.name);
  auto sink = std::make_unique<port_mapping::port_mapping_sink>(where, std::move(o));
  return std::make_unique<ports::reconciler>(where, std::move(sink), std::move(book));
}

std::unique_ptr<ports::reconciler> make_wsl_proxy(const io::executor& where, const configuration& c) {
  port_mapping::port_mapping_options o;
  o.peer = std::filesystem::path(c.flags.wsl_proxy_socket);
  auto sink = std::make_unique<port_mapping::port_mapping_sink>(where, std::move(o));
  return std::make_unique<ports::reconciler>(where, std::move(sink), open_journal(c, "wsl-proxy"));
}

// The nat chains by which the engines that are watched publish: dockerd's own, and those of CNI's portmap plugin.
std::vector<loopback::engine_chain> engine_chains(const options& o) {
  std::vector<loopback::engine_chain> chains;
  if (o.docker) chains.push_back({"DOCKER", "DOCKER"});
  if (o.containerd || o.iptables) chains.push_back({"CNI-HOSTPORT-DNAT", "CNI-DN-*", ports::source_id::containerd});
  return chains;
}

std::unique_ptr<ports::reconciler> make_loopback(const io::executor& where, const configuration& c) {
  loopback::loopback_options o;
  if (c.sound.policy.mode == ports::network_mode::privileged_service) {
    o.rules.rules.interface = c.flags.vm_interface;
  } else {
    o.rules.rules.tap = c.sound.tap;
    o.rules.rules.veth = c.sound.veth;
  }
  o.rules.rules.engines = engine_chains(c.flags);
  o.rules.state_directory = c.flags.state_directory;
  auto sink = std::make_unique<loopback::loopback_sink>(where, std::move(o));
  return std::make_unique<ports::reconciler>(where, std::move(sink), std::nullopt);
}

std::unique_ptr<ports::reconciler> make_local_listeners(const io::executor& where) {
  auto sink = std::make_unique<local_listeners::local_listeners_sink>(where);
  return std::make_unique<ports::reconciler>(where, std::move(sink), std::nullopt);
}

std::unique_ptr<ports::reconciler> make_peer(const io::executor& where, const configuration& c, peer_kind kind) {
  switch (kind) {
    case peer_kind::host_switch: return make_host_switch(where, c);
    case peer_kind::privileged_service: return make_privileged_service(where, c);
    case peer_kind::wsl_proxy: return make_wsl_proxy(where, c);
    case peer_kind::local_listeners: return make_local_listeners(where);
    case peer_kind::loopback: break;
  }
  return make_loopback(where, c);
}

std::vector<std::unique_ptr<ports::source>> make_sources(const io::executor& where, const configuration& c) {
  std::vector<std::unique_ptr<ports::source>> sources;
  if (c.flags.docker) sources.push_back(std::make_unique<docker::docker_source>(where, c.docker));
  if (c.flags.containerd) {
    containerd::containerd_options o{.socket = c.flags.containerd_socket};
    sources.push_back(std::make_unique<containerd::containerd_source>(where, std::move(o)));
  }
  if (c.flags.kubernetes) {
    kubernetes::kubernetes_options o{.kubeconfig = c.flags.kubeconfig, .listener = c.sound.service_listener};
    sources.push_back(std::make_unique<kubernetes::kubernetes_source>(where, std::move(o)));
  }
  if (c.flags.iptables) {
    iptables::iptables_options o{.pods = c.sound.service_listener};
    sources.push_back(std::make_unique<iptables::iptables_source>(where, std::move(o)));
  }
  if (c.sound.listeners) {
    listeners::listeners_options o{.tracker = {.ignored = c.sound.ignored_listeners}};
    sources.push_back(std::make_unique<listeners::listeners_source>(where, std::move(o)));
  }
  return sources;
}

std::string describe_host(const configuration& c) {
  if (c.sound.policy.mode == ports::network_mode::privileged_service)
    return "vtunnel=" + net::to_string(c.sound.vtunnel);
  return "host-switch=" + http::to_string(c.sound.host_switch);
}

// Runs until a signal comes, takes everything back, and stops, the last started first.
io::task<> supervise(const configuration& c, io::unix_listener status) {
  const auto where = co_await io::asio::this_coro::executor;
  controller middle(where, c.sound.policy);
  for (const auto kind : peers_of(c.flags, c.sound)) middle.add_peer(role_of(kind), make_peer(where, c, kind));

  const auto engines = make_sources(where, c);
  io::task_group peers(where), sources(where);
  for (const auto& engine : engines) middle.enable(engine->id());
  if (auto fixed = static_ports(c.flags, c.sound); !fixed.bindings.empty()) {
    middle.enable(ports::source_id::fixed);
    middle.publish(ports::source_id::fixed, std::move(fixed));
  }
  peers.spawn("status", serve_status(middle, status));
  peers.spawn("controller", middle.run());
  for (const auto& engine : engines) sources.spawn(std::string(to_string(engine->id())), engine->run(middle));

  base::log::info("agent", "started version={} mode={} {}", program_version, to_string(c.sound.policy.mode),
                  describe_host(c));
  if (c.flags.privileged_service && c.flags.admin_install)
    base::log::warn("agent", "-privilegedService and -adminInstall are both given: -privilegedService wins");
  const int signal = co_await io::stop_signal();
  base::log::info("agent", "stopping signal={}", signal);
  io::exit_after(exit_limit, base::exit_ok);
  const auto now = io::clock::now();
  co_await sources.stop(now + stop_limit);
  static_cast<void>(co_await io::until(now + drain_limit + stop_limit, middle.drain(now + drain_limit)));
  co_await peers.stop(io::clock::now() + stop_limit);
}

// Ends the process without waiting for what may hang in a library, such as a name look-up.
io::task<> main_task(configuration c, io::unix_listener status) {
  co_await supervise(c, std::move(status));
  base::log::info("agent", "stopped");
}

base::result<configuration> configure(options o, const base::flag_set& flags) {
  auto sound = validate(o, flags);
  if (!sound) return std::unexpected(sound.error());
  configuration c{std::move(o), std::move(*sound), {}};
  if (!c.flags.docker) return c;
  auto engine = docker::options_from_environment(c.flags.docker_socket);
  if (!engine) return std::unexpected(engine.error());
  c.docker = std::move(*engine);
  return c;
}

}  // namespace

int run(int argc, const char* const* argv) {
  options o;
  auto flags = make_flags(o);
  if (const auto code = base::parse_command_line(flags, argc, argv)) return *code;
  auto c = configure(std::move(o), flags);
  if (!c) return base::report_failure(flags.program(), c.error().message(), base::exit_usage);
  if (::geteuid() != 0) return base::report_failure(flags.program(), "agent must run as root");
  if (c->flags.debug) base::log::set_level(base::log::level::debug);
  auto status = io::unix_listener::claim(c->flags.status_socket);
  if (!status) return base::report_failure(flags.program(), status.error().message());
  if (c->flags.containerd) containerd::quieten_grpc();
  base::raise_descriptor_limit();
  boost::asio::io_context context(1);
  io::task_group main(context.get_executor());
  main.spawn("agent", main_task(std::move(*c), std::move(*status)));
  while (main.size() > 0) context.run_one();
  std::fflush(nullptr);
  ::_exit(base::exit_ok);
}

}  // namespace agent
