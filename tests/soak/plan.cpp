#include "tests/soak/plan.hpp"

#include <algorithm>

namespace soak {
namespace {

constexpr unsigned fault_percent = 22;

}  // namespace

plan::plan(std::uint64_t seed, unsigned operations_between_pauses)
    : random_(seed), between_pauses_(operations_between_pauses) {}

operation plan::next() {
  const bool over = since_pause_ >= between_pauses_;
  for (auto& one : ongoing_)
    if (one.left > 0) --one.left;
  if (auto end = due_end(over)) return *end;
  if (over) {
    since_pause_ = 0;
    spares_agent_ = false;
    return {.what = kind::pause};
  }
  ++since_pause_;
  if (chance(fault_percent))
    if (auto one = fault()) return *one;
  return load();
}

bool plan::is_away(part which) const {
  return std::ranges::any_of(ongoing_, [&](const ongoing& one) {
    return (one.end.what == kind::start || one.end.what == kind::resume) && one.end.of == which;
  });
}

bool plan::is_ongoing(kind end) const {
  return std::ranges::any_of(ongoing_, [&](const ongoing& one) { return one.end.what == end; });
}

std::optional<operation> plan::due_end(bool all) {
  const auto due = std::ranges::find_if(ongoing_, [&](const ongoing& one) { return all || one.left == 0; });
  if (due == ongoing_.end()) return std::nullopt;
  auto end = due->end;
  ongoing_.erase(due);
  return end;
}

// Nothing if one of that kind, of that part, goes on.
std::optional<operation> plan::begin(operation fault, kind end, unsigned longest) {
  const auto operations = 1 + pick(longest);
  operation last = fault;
  last.what = end;
  if (std::ranges::any_of(ongoing_, [&](const ongoing& one) { return one.end.what == end && one.end.of == fault.of; }))
    return std::nullopt;
  ongoing_.push_back({last, operations});
  return fault;
}

std::optional<operation> plan::fault() {
  const auto what = pick(22);
  if (what < 10) return kill_or_stall(kind::kill);
  if (what < 14) return kill_or_stall(kind::stall);
  if (what < 16) return begin({.what = kind::impair_link}, kind::repair_link, 8);
  if (what < 17) return fill_disk();
  if (what < 19) return break_api();
  if (what < 21) return begin({.what = kind::occupy_port, .slot = pick(docker_slots)}, kind::release_port, 8);
  return jump();
}

std::optional<operation> plan::fill_disk() {
  if (is_away(part::agent)) return std::nullopt;
  auto fault = begin({.what = kind::fill_disk}, kind::free_disk, 8);
  spares_agent_ = spares_agent_ || fault;
  return fault;
}

std::optional<operation> plan::break_api() {
  const auto how = pick(5);
  if (is_away(part::kubernetes_api)) return std::nullopt;
  return begin({.what = kind::break_api, .shape = how}, kind::repair_api, 6);
}

// Not while the agent tries to write to a full disk: it tries the less often the longer that lasts.
std::optional<operation> plan::jump() {
  const auto seconds = std::array{3U, 10U, 60U}.at(pick(3));
  if (is_ongoing(kind::free_disk) || chance(50)) return std::nullopt;
  return operation{.what = kind::jump, .seconds = seconds};
}

// A part that is away cannot be killed or stalled. network-setup takes vm-switch with it.
std::optional<operation> plan::kill_or_stall(kind what) {
  const auto which = static_cast<part>(pick(parts));
  const bool spared = which == part::agent && spares_agent_ && what == kind::kill;
  const bool of_the_link = which == part::vm_switch || which == part::network_setup;
  if (spared || is_away(which) || (of_the_link && (is_away(part::vm_switch) || is_away(part::network_setup))))
    return std::nullopt;
  const bool is_engine = which == part::dockerd || which == part::containerd || which == part::kubernetes_api;
  if (what == kind::stall) return is_engine ? std::nullopt : begin({.what = what, .of = which}, kind::resume, 5);
  if (which == part::vm_switch) return operation{.what = what, .of = which};  // network-setup replaces it at once
  if (which == part::kubernetes_api && is_ongoing(kind::repair_api)) return std::nullopt;
  if (which == part::dockerd) engine_died();
  return begin({.what = what, .of = which}, kind::start, 4);
}

// Which containers run after its return is the engine's affair; the next operation on each is one that it allows.
void plan::engine_died() {
  for (unsigned slot = 0; slot < docker_slots; ++slot)
    if (docker_[slot] == container::paused ||
        (docker_[slot] == container::running && !docker_shape(slot, shape_[slot]).is_restarted))
      docker_[slot] = container::stopped;
}

operation plan::load() {
  for (;;) {
    const auto what = pick(100);
    if (what < 55) {
      if (auto one = docker_load()) return *one;
    } else if (what < 67) {
      if (auto one = containerd_load()) return *one;
    } else if (what < 78) {
      if (!is_away(part::kubernetes_api)) return service_load();
    } else if (what < 90) {
      return listener_load();
    } else {
      return rules();
    }
  }
}

std::optional<operation> plan::docker_load() {
  const auto slot = pick(docker_slots);
  if (is_away(part::dockerd)) return std::nullopt;
  auto& state = docker_[slot];
  switch (state) {
    case container::absent:
      state = container::running;
      shape_[slot] = pick(docker_shapes);
      return operation{.what = kind::run_container, .slot = slot, .shape = shape_[slot]};
    case container::paused: state = container::running; return operation{.what = kind::unpause_container, .slot = slot};
    case container::stopped:
      state = chance(50) ? container::running : container::absent;
      return operation{.what = state == container::running ? kind::start_container : kind::remove_container,
                       .slot = slot};
    case container::running: return of_running(slot);
  }
  return std::nullopt;
}

operation plan::of_running(unsigned slot) {
  auto& state = docker_[slot];
  const auto what = pick(10);
  if (what < 4) {
    state = container::absent;
    return {.what = kind::remove_container, .slot = slot};
  }
  if (what < 6) return {.what = kind::restart_container, .slot = slot};
  if (what < 7) {
    state = container::paused;
    return {.what = kind::pause_container, .slot = slot};
  }
  state = container::stopped;
  return {.what = what < 9 ? kind::stop_container : kind::kill_container, .slot = slot};
}

std::optional<operation> plan::containerd_load() {
  const auto slot = pick(containerd_slots);
  if (is_away(part::containerd)) return std::nullopt;
  auto& state = containerd_[slot];
  if (state == container::absent) {
    state = container::running;
    return operation{.what = kind::run_in_containerd, .slot = slot, .shape = pick(containerd_shapes)};
  }
  if (state == container::running && chance(30)) {
    state = container::stopped;
    return operation{.what = kind::end_in_containerd, .slot = slot};
  }
  state = container::absent;
  return operation{.what = kind::remove_in_containerd, .slot = slot};
}

operation plan::service_load() {
  const auto slot = pick(service_slots);
  services_[slot] = !services_[slot] || chance(40);  // one that exists may change instead of going
  if (!services_[slot]) return {.what = kind::remove_service, .slot = slot};
  return {.what = kind::put_service, .slot = slot, .shape = pick(service_shapes)};
}

operation plan::listener_load() {
  const auto slot = pick(listener_slots);
  listeners_[slot] = !listeners_[slot];
  if (!listeners_[slot]) return {.what = kind::close_listener, .slot = slot};
  return {.what = kind::open_listener, .slot = slot, .shape = pick(listener_shapes)};
}

operation plan::rules() {
  operation o{.what = kind::write_rules};
  for (auto count = pick(5); count > 0; --count) o.rules.push_back(one_rule());
  return o;
}

port_rule plan::one_rule() {
  port_rule rule{.action = static_cast<rule_action>(pick(rule_actions))};
  switch (pick(6)) {
    case 0: rule.first = listener_base(pick(listener_slots)); break;
    case 1: rule.first = containerd_base(pick(containerd_slots)); break;
    case 2: rule.first = balancer_base(pick(service_slots)); break;
    default: rule.first = docker_base(pick(docker_slots));
  }
  rule.last = static_cast<std::uint16_t>(rule.first + ports_of_a_slot - 1);
  if (chance(25)) rule.name = docker_name(pick(docker_slots));
  return rule;
}

}  // namespace soak
