#include "tests/soak/actor.hpp"

#include <signal.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "base/text.hpp"

namespace soak {
namespace {

using namespace std::chrono_literals;

template <class Value>
void append(std::vector<Value>& to, const std::vector<Value>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

// What an engine refuses is no finding: a stop of what has ended, a call while it is busy with its return.
std::string actor::perform(const operation& o) {
  if (o.what == kind::impair_link && !impairs_link_) return "the kernel has no netem";
  if (!is_load(o.what)) {
    of_faults(o);
    return {};
  }
  try {
    carry_out(o);
    return {};
  } catch (const std::runtime_error& refused) {
    return base::printable(base::trim(refused.what()), 400);
  }
}

void actor::carry_out(const operation& o) {
  if (o.what <= kind::remove_container) return of_docker(o);
  if (o.what <= kind::remove_in_containerd) return of_containerd(o);
  if (o.what <= kind::remove_service) return of_kubernetes(o);
  if (o.what <= kind::close_listener) return of_listeners(o);
  rules_ = o.rules;
  arena_.write_rules(to_yaml(rules_));
}

void actor::of_docker(const operation& o) {
  const auto name = docker_name(o.slot);
  auto& docker = arena_.docker();
  switch (o.what) {
    case kind::run_container: return run_container(o.slot, o.shape);
    case kind::start_container: docker.docker({"start", name}); return;
    case kind::stop_container: docker.docker({"stop", "-t", "2", name}); return;
    case kind::kill_container: docker.docker({"kill", name}); return;
    case kind::restart_container: docker.docker({"restart", "-t", "2", name}); return;
    case kind::pause_container: docker.docker({"pause", name}); return;
    case kind::unpause_container: docker.docker({"unpause", name}); return;
    default: docker.docker({"rm", "-f", name});
  }
}

// A name that a failed run has left behind is not in the way.
void actor::run_container(unsigned slot, unsigned shape) {
  const auto look = docker_shape(slot, shape);
  std::vector<std::string> arguments, serves = served_inside();
  if (look.is_restarted) arguments.emplace_back("--restart=always");
  for (const auto& run : look.published) append(arguments, {"-p", to_docker_argument(run)});
  if (look.published.empty()) {
    append(arguments, {"--network", "host", "--env", "ECHO_NAME=" + docker_name(slot)});
    serves.clear();
    for (const auto& run : look.listens) serves.push_back(to_server_argument(run));
  }
  docker_shapes_[slot] = shape;
  arena_.docker().docker({"rm", "-f", docker_name(slot)});
  arena_.docker().run(docker_name(slot), arguments, serves);
}

support::container_spec actor::containerd_spec(unsigned slot, unsigned shape) {
  support::container_spec spec{.name = containerd_name(slot), .serves = served_inside()};
  for (const auto& run : containerd_shape(slot, shape))
    spec.ports.push_back({run.number, run.inside, std::string(net::to_string(run.protocol)), run.address});
  return spec;
}

void actor::of_containerd(const operation& o) {
  auto& shape = containerd_[o.slot];
  if (o.what == kind::run_in_containerd) {
    shape = o.shape;
    return arena_.containerd().run(containerd_spec(o.slot, o.shape));
  }
  if (!shape) return;
  const auto spec = containerd_spec(o.slot, *shape);
  if (o.what == kind::end_in_containerd) return arena_.containerd().end_task(spec);
  arena_.containerd().remove(spec);
  shape.reset();
}

void actor::of_kubernetes(const operation& o) {
  auto& state = services_[o.slot];
  if (o.what == kind::remove_service) {
    state.reset();
    return arena_.kubernetes().remove(service_name(o.slot));
  }
  state = o.shape;
  const auto look = shape_of_service(o.slot, o.shape);
  support::fake_kubernetes::service made{.name = service_name(o.slot), .type = look.type};
  for (const auto& run : look.ports)
    made.ports.push_back(
        {run.inside, look.type == "NodePort" ? run.number : 0, run.protocol == net::protocol::udp ? "UDP" : "TCP"});
  arena_.kubernetes().put(made);
}

void actor::of_listeners(const operation& o) {
  servers_[o.slot].kill9();
  listeners_[o.slot].reset();
  if (o.what == kind::close_listener) return;
  std::vector<std::string> ports;
  for (const auto& run : listener_shape(o.slot, o.shape)) ports.push_back(to_server_argument(run));
  servers_[o.slot] = arena_.serve(listener_name(o.slot), ports);
  listeners_[o.slot] = o.shape;
}

void actor::of_faults(const operation& o) {
  switch (o.what) {
    case kind::kill: return arena_.kill9(o.of);
    case kind::start: return arena_.start(o.of);
    case kind::stall: return arena_.signal(o.of, SIGSTOP);
    case kind::resume: return arena_.signal(o.of, SIGCONT);
    case kind::impair_link: return arena_.impair_link(true);
    case kind::repair_link: return arena_.impair_link(false);
    case kind::fill_disk: return arena_.disk().fill();
    case kind::free_disk: return arena_.disk().free();
    case kind::break_api: return break_api(o.shape);
    case kind::repair_api: return repair_api();
    case kind::occupy_port: return arena_.occupy(docker_base(o.slot));
    case kind::release_port: return arena_.release();
    case kind::jump: return jump(o.seconds);
    default: return;
  }
}

void actor::break_api(unsigned how) {
  using fault = support::fake_kubernetes::fault;
  auto& api = arena_.kubernetes();
  switch (how) {
    case 0: return api.suffer(fault::closes_at_once);
    case 1: return api.suffer(fault::cuts_lists);
    case 2: return api.suffer(fault::cuts_watches);
    case 3: return api.answer_with(503);
    default: return api.hang(true);
  }
}

void actor::repair_api() {
  auto& api = arena_.kubernetes();
  api.suffer(support::fake_kubernetes::fault::none);
  api.answer_with(0);
  api.hang(false);
}

// As the VM's programs see a jump of the monotonic clock: they did not run, and it is later.
void actor::jump(unsigned seconds) {
  constexpr std::array of_the_vm{part::agent, part::vm_switch, part::network_setup, part::wsl_proxy};
  for (const auto one : of_the_vm) arena_.signal(one, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  for (const auto one : of_the_vm) arena_.signal(one, SIGCONT);
}

std::string actor::remove_everything() {
  std::string refused;
  const auto attempt = [&](const operation& o) {
    if (const auto why = perform(o); !why.empty()) refused += to_text(o) + ": " + why + "; ";
  };
  for (unsigned slot = 0; slot < docker_slots; ++slot) attempt({.what = kind::remove_container, .slot = slot});
  for (unsigned slot = 0; slot < containerd_slots; ++slot) attempt({.what = kind::remove_in_containerd, .slot = slot});
  for (unsigned slot = 0; slot < service_slots; ++slot) attempt({.what = kind::remove_service, .slot = slot});
  for (unsigned slot = 0; slot < listener_slots; ++slot) attempt({.what = kind::close_listener, .slot = slot});
  attempt({.what = kind::write_rules});
  return refused;
}

void actor::add_docker(std::vector<offer>& to) const {
  const auto ids = arena_.docker().docker({"ps", "-q"});
  if (ids.empty()) return;
  std::vector<std::string> arguments{"inspect", "--format", std::string(inspect_format)};
  for (const auto id : base::split(ids, '\n')) arguments.emplace_back(id);
  const auto text = arena_.docker().docker(arguments);
  for (const auto line : base::split(text, '\n')) {
    const auto found = parse_inspected(line);
    if (!found) throw std::runtime_error("docker inspect: " + std::string(line));
    if (!found->uses_host_network) {
      append(to, found->offers);
      continue;
    }
    for (unsigned slot = 0; slot < docker_slots; ++slot)
      if (docker_name(slot) == found->name)
        append(to, offers_of(docker_shape(slot, docker_shapes_[slot]).listens, "", found->name, !found->is_paused));
  }
}

// The rules of a container outlive its task, and publish nothing.
void actor::add_containerd(std::vector<offer>& to) const {
  const auto running = running_tasks(arena_.containerd().ctr("default", {"tasks", "list"}));
  for (unsigned slot = 0; slot < containerd_slots; ++slot)
    if (const auto name = containerd_name(slot); containerd_[slot] && running.contains(name))
      append(to, offers_of(containerd_shape(slot, *containerd_[slot]), name, name, true));
}

exposures actor::expected() const {
  std::vector<offer> all;
  add_docker(all);
  add_containerd(all);
  for (unsigned slot = 0; slot < service_slots; ++slot) {
    const auto look = services_[slot] ? shape_of_service(slot, *services_[slot]) : service_shape{};
    if (services_[slot] && look.type != "ClusterIP")
      append(all, offers_of(look.ports, service_name(slot), "services", true));
  }
  for (unsigned slot = 0; slot < listener_slots; ++slot)
    if (listeners_[slot])
      append(all, offers_of(listener_shape(slot, *listeners_[slot]), "", listener_name(slot), true));
  auto wanted = expect(all, rules_);
  add_api_port(wanted, arena::api_port);
  return wanted;
}

}  // namespace soak
