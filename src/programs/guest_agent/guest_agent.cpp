#include "programs/guest_agent/guest_agent.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <unistd.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "http/server_address.hpp"
#include "kernel/bpf/memory_limit.hpp"
#include "kernel/bpf/program.hpp"
#include "net/endpoint.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/heap.hpp"
#include "os/lock_file.hpp"
#include "ports/change_trace.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/rule_names.hpp"
#include "ports/source_id.hpp"
#include "program/command_line.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "program/rights.hpp"
#include "program/system_calls.hpp"
#include "programs/guest_agent/composition.hpp"
#include "programs/guest_agent/controller.hpp"
#include "programs/guest_agent/options.hpp"
#include "programs/guest_agent/rules_file.hpp"
#include "programs/guest_agent/rules_report.hpp"
#include "programs/guest_agent/status_page.hpp"
#include "programs/guest_agent/status_server.hpp"
#include "programs/guest_agent/wiring.hpp"
#include "sources/docker/docker_source.hpp"
#include "sources/static_ports/own_port_source.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;

constexpr auto sources_limit = 400ms;
constexpr auto close_limit = 400ms;  // of the shutdown time, for closing the peers
constexpr auto trim_delay = 3s;

constexpr auto description =
    "Watches the container engine inside the VM and exposes every published port: on the host through host-switch, "
    "and to the other WSL distributions through wsl-proxy. Runs as root in the engine's network namespace. The engine "
    "and both peers may start later, restart and stop. guestagentctl ports shows what is exposed, and why a port is "
    "not.\n\n"
    "There are three modes. With -adminInstall, the network tunnel, host-switch binds the published address on the "
    "host. With -privilegedService, a privileged service on the host does. The agent reaches it through vtunnel, and "
    "it connects to the addresses of -vm-interface. This mode has no host-switch and no wsl-proxy, and ignores "
    "-adminInstall. With neither flag, in non-admin mode, host-switch binds every port to 127.0.0.1, and ports below "
    "1024 are not exposed.";

std::string describe_host(const configuration& c) {
  if (c.validated.policy.mode == ports::network_mode::privileged_service)
    return "vtunnel=" + net::to_string(c.validated.vtunnel);
  return "host-switch=" + http::to_string(c.flags.host_switch);
}

// Two agents with one directory would remove each other's ports. Where the directory cannot be written the agent works,
// and forgets what it has exposed when it crashes; the journals say so.
base::result<std::optional<os::lock_file>> claim_state(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  auto lock = os::lock_file::claim(directory / "agent.lock", os::lock_file::at_end::keep, 1s);
  if (lock) return std::move(*lock);
  if (lock.error().code == std::errc::operation_would_block)
    return base::fail("another agent is running with the state directory " + directory.string());
  base::log::error("agent", "cannot lock the state directory reason=\"{}\"", lock.error().message());
  return std::nullopt;
}

// A burst of changes leaves free memory all over the heap.
async::task<> trim_after_changes(const controller& middle, async::condition& changed) {
  std::uint64_t seen = 0;
  while (true) {
    while (middle.work() == seen) co_await changed.wait();
    co_await async::sleep_for(trim_delay);
    seen = middle.work();
    os::trim_heap();
  }
}

}  // namespace

program::about guest_agent::info() const { return {.name = "rancher-desktop-guestagent", .description = description}; }

void guest_agent::declare(program::flag_set& flags) { ::guest_agent::declare(flags, plan_.flags); }

base::result<> guest_agent::check(const program::command_line& given) {
  auto validated = validate(plan_.flags, given.is_set("listeners"));
  if (!validated) return std::unexpected(validated.error());
  plan_.validated = *validated;
  rules_named_ = given.is_set("rules");
  if (!plan_.flags.docker) return {};
  auto engine = docker::options_from_environment(plan_.flags.docker_socket);
  if (!engine) return std::unexpected(engine.error());
  plan_.docker = std::move(*engine);
  return {};
}

program::rights guest_agent::needs() const {
  return {{{{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, "the rules of netfilter are neither read nor made"},
           {{CAP_NET_RAW, "CAP_NET_RAW"}, "iptables-legacy does not work"},
           {{CAP_BPF, "CAP_BPF"}, "new listeners are found late"},
           {{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, "the owner of some listeners is unknown"},
           program::low_ports,
           program::foreign_files},
          program::calls_of_parent({program::system_calls::of_bpf()})};
}

base::result<> guest_agent::open(const async::executor& where) {
  if (::geteuid() != 0) return base::fail("agent must run as root");
  bpf::mount_root_group();
  bpf::let_memory_limit_rise();
  if (auto kept = keep_capabilities(); !kept) return kept;
  os::keep_heap_small();
  auto alone = claim_state(plan_.flags.state_directory);
  if (!alone) return std::unexpected(alone.error());
  if (auto& lock = *alone) state_lock_.emplace(std::move(*lock));
  auto status = os::claimed_unix_path::claim(plan_.flags.status_socket);
  if (!status) return std::unexpected(status.error());
  status_ = std::make_unique<os::claimed_unix_path>(std::move(*status));
  if (plan_.flags.trace_events) plan_.trace = std::make_shared<ports::change_trace>();
  auto rules = rules_file::open(where, {plan_.flags.rules_file, rules_named_}, ports::rule_names());
  if (!rules) return std::unexpected(rules.error());
  rules_ = std::move(*rules);
  auto policy = plan_.validated.policy;
  policy.rules = rules_->state().active;
  if (plan_.flags.port_labels) policy.label_names = ports::rule_names();
  controller_ = std::make_unique<controller>(where, std::move(policy));
  controller_->trace_to(plan_.trace);
  for (const auto kind : peers_of(plan_.flags, plan_.validated))
    controller_->add_peer(role_of(kind), make_peer(where, plan_, kind));
  sources_ = make_sources(where, plan_);
  if (const auto& at = plan_.flags.status_page) {
    page_ = std::make_unique<status_page>(where, *controller_, at->ip);
    const static_ports::own_port_source::service serve = [page = page_.get()](base::unique_fd listening) {
      return page->serve(std::move(listening));
    };
    sources_.push_back(std::make_unique<static_ports::own_port_source>(*at, serve));
  }
  for (const auto& source : sources_) controller_->enable(source->id());
  source_tasks_ = std::make_unique<async::task_group>(where);
  return {};
}

std::string guest_agent::start(async::task_group& tasks) {
  if (plan_.flags.privileged_service && plan_.flags.admin_install)
    base::log::warn("agent", "-privilegedService and -adminInstall are both given: -privilegedService wins");
  const rules_reader rules = [this] {
    return describe_rules(rules_->path(), rules_->state(), *controller_->view().plan, plan_.flags, plan_.validated);
  };
  tasks.spawn("status", serve_status(*controller_, rules, *status_));
  tasks.spawn("controller", controller_->run());
  tasks.spawn("rules",
              rules_->follow([this] { controller_->use_rules(rules_->state().active, rules_->state().trouble); }));
  tasks.spawn("heap", trim_after_changes(*controller_, controller_->changed()));
  for (const auto& source : sources_)
    source_tasks_->spawn(std::string(to_string(source->id())), source->run(*controller_));
  filter_calls(tasks);
  return fmt::format("mode={} {}", to_string(plan_.validated.policy.mode), describe_host(plan_));
}

async::task<> guest_agent::shut_down(async::clock::time_point deadline) {
  co_await source_tasks_->stop(async::clock::now() + sources_limit);
  static_cast<void>(co_await async::until(deadline, controller_->drain(deadline - close_limit)));
  status_.reset();  // the program ends without destroying anything: the socket's file would stay
}

}  // namespace guest_agent
