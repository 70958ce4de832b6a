// operation: one step of a soak, of its load or of its faults, as the plan orders it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/soak/port_rule.hpp"

namespace soak {

// What can die, hang and return.
enum class part : std::uint8_t {
  agent,
  host_switch,
  wsl_proxy,
  vm_switch,
  network_setup,
  dockerd,
  containerd,
  kubernetes_api,
};
inline constexpr unsigned parts = 8;
[[nodiscard]] std::string_view to_string(part which);

enum class kind : std::uint8_t {
  // Load.
  run_container,
  start_container,
  stop_container,
  kill_container,
  restart_container,
  pause_container,
  unpause_container,
  remove_container,
  run_in_containerd,
  end_in_containerd,
  remove_in_containerd,
  put_service,
  remove_service,
  open_listener,
  close_listener,
  write_rules,
  // Faults, and their ends.
  kill,
  start,
  stall,
  resume,
  impair_link,
  repair_link,
  fill_disk,
  free_disk,
  break_api,
  repair_api,
  occupy_port,
  release_port,
  jump,
  // The load stops, and everything is compared.
  pause,
};

[[nodiscard]] std::string_view to_string(kind what);
// Whether it begins a fault; its end is none.
[[nodiscard]] bool is_fault(kind what);
[[nodiscard]] bool is_load(kind what);

struct operation {
  kind what = kind::pause;
  unsigned slot = 0;               // of occupy_port: the container whose first port it is
  unsigned shape = 0;              // of a container, Service or listener; of break_api: the misbehaviour
  part of = part::agent;           // of kill, start, stall and resume
  unsigned seconds = 0;            // of a jump
  std::vector<port_rule> rules{};  // of write_rules
  bool operator==(const operation&) const = default;
};

[[nodiscard]] std::string to_text(const operation& o);

}  // namespace soak
