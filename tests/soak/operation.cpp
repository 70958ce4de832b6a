#include "tests/soak/operation.hpp"

#include <fmt/format.h>

#include "tests/soak/shapes.hpp"

namespace soak {

std::string_view to_string(part which) {
  switch (which) {
    case part::agent: return "agent";
    case part::host_switch: return "host-switch";
    case part::wsl_proxy: return "wsl-proxy";
    case part::vm_switch: return "vm-switch";
    case part::network_setup: return "network-setup";
    case part::dockerd: return "dockerd";
    case part::containerd: return "containerd";
    case part::kubernetes_api: return "kubernetes-api";
  }
  return "";
}

std::string_view to_string(kind what) {
  switch (what) {
    case kind::run_container: return "docker run";
    case kind::start_container: return "docker start";
    case kind::stop_container: return "docker stop";
    case kind::kill_container: return "docker kill";
    case kind::restart_container: return "docker restart";
    case kind::pause_container: return "docker pause";
    case kind::unpause_container: return "docker unpause";
    case kind::remove_container: return "docker rm";
    case kind::run_in_containerd: return "nerdctl run";
    case kind::end_in_containerd: return "nerdctl kill";
    case kind::remove_in_containerd: return "nerdctl rm";
    case kind::put_service: return "put Service";
    case kind::remove_service: return "remove Service";
    case kind::open_listener: return "open listener";
    case kind::close_listener: return "close listener";
    case kind::write_rules: return "write rules";
    case kind::kill: return "kill -9";
    case kind::start: return "start";
    case kind::stall: return "stall";
    case kind::resume: return "resume";
    case kind::impair_link: return "impair link";
    case kind::repair_link: return "repair link";
    case kind::fill_disk: return "fill disk";
    case kind::free_disk: return "free disk";
    case kind::break_api: return "break API";
    case kind::repair_api: return "repair API";
    case kind::occupy_port: return "occupy port";
    case kind::release_port: return "release port";
    case kind::jump: return "clock jump";
    case kind::pause: return "pause";
  }
  return "";
}

bool is_load(kind what) { return what <= kind::write_rules; }

bool is_fault(kind what) {
  switch (what) {
    case kind::kill:
    case kind::stall:
    case kind::impair_link:
    case kind::fill_disk:
    case kind::break_api:
    case kind::occupy_port:
    case kind::jump: return true;
    default: return false;
  }
}

namespace {

std::string subject_of(const operation& o) {
  if (o.what <= kind::remove_container) return docker_name(o.slot);
  if (o.what <= kind::remove_in_containerd) return containerd_name(o.slot);
  if (o.what <= kind::remove_service) return service_name(o.slot);
  if (o.what <= kind::close_listener) return listener_name(o.slot);
  if (o.what == kind::write_rules) return to_text(o.rules);
  if (o.what <= kind::resume) return std::string(to_string(o.of));
  if (o.what == kind::occupy_port || o.what == kind::release_port) return std::to_string(docker_base(o.slot));
  return o.what == kind::jump ? fmt::format("{} s", o.seconds) : "";
}

bool has_shape(kind what) {
  return what == kind::run_container || what == kind::run_in_containerd || what == kind::put_service ||
         what == kind::open_listener || what == kind::break_api;
}

}  // namespace

std::string to_text(const operation& o) {
  auto text = std::string(to_string(o.what));
  if (const auto subject = subject_of(o); !subject.empty()) text += " " + subject;
  if (has_shape(o.what)) text += fmt::format(" shape={}", o.shape);
  return text;
}

}  // namespace soak
