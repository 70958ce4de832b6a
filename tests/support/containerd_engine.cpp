#include "tests/support/containerd_engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <stdexcept>

#include "base/text.hpp"
#include "tests/support/control_group.hpp"
#include "tests/support/engine_programs.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/unique_name.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

std::string full_id(const container_spec& spec) { return spec.name_space + "-" + spec.name; }
// Inside the sandbox, whose /run is its own.
std::string netns_path(const container_spec& spec) { return "/run/netns/" + full_id(spec); }

}  // namespace

containerd_engine::containerd_engine(const netns& where, fs::path directory, iptables_variant iptables)
    : where_(where), directory_(std::move(directory)), iptables_(iptables), control_group_(unique_name("containerd")) {
  remove_leftover_control_groups();
  fs::create_directories(directory_ / "root");
  fs::copy_file(GUESTAGENT_ECHO_SERVER, directory_ / "root" / "echo-server");
  make_tool_directory(directory_ / "tools", iptables_);
  std::ofstream(directory_ / "config.toml") << "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
}

containerd_engine::~containerd_engine() {
  daemon_.kill9();
  box_.end();
  remove_control_groups(control_group_);
}

child_options containerd_engine::inside() const {
  return {.argv = {},
          .environment = {"TMPDIR=" + directory_.string(), path_for(directory_ / "tools", containerd_program())},
          .net_namespace = where_.path(),
          .mount_namespace = box_.mount_namespace(),
          .pid_namespace = box_.pid_namespace()};
}

void containerd_engine::launch() {
  auto options = inside();
  options.argv = {containerd_program(), "--config", directory_ / "config.toml", "--address", socket(), "--root",
                  directory_ / "data",  "--state",  directory_ / "state"};
  options.log = directory_ / "containerd.log";
  daemon_ = child_process(options);
}

void containerd_engine::start() {
  launch();
  const auto answers = [this] {
    return run_command({.argv = {ctr_program(), "-a", socket(), "--connect-timeout", "1s", "version"}}).exit_code == 0;
  };
  if (!eventually(std::chrono::seconds(30), [&] { return answers() || !daemon_.running(); }) || !daemon_.running())
    throw std::runtime_error("containerd does not start:\n" + log());
}

void containerd_engine::stop() { daemon_.stop(std::chrono::seconds(20)); }
void containerd_engine::kill9() { daemon_.kill9(); }

std::string containerd_engine::ctr(const std::string& name_space, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {ctr_program(), "-a", socket(), "-n", name_space});
  return std::string(base::trim(run_or_throw({.argv = std::move(arguments)}, std::chrono::seconds(60))));
}

fs::path containerd_engine::state_directory(const container_spec& spec) const {
  return directory_ / "nerdctl" / full_id(spec);
}

cni_network containerd_engine::network(const container_spec& spec, unsigned number) const {
  return {inside(), directory_ / "cni", number, spec.dual_stack};
}

std::vector<std::string> containerd_engine::label_flags(const container_spec& spec) const {
  std::map<std::string, std::string> labels{{"nerdctl/name", spec.name},
                                            {"nerdctl/namespace", spec.name_space},
                                            {"nerdctl/networks", R"(["bridge"])"},
                                            {"nerdctl/state-dir", state_directory(spec)}};
  if (spec.note == port_note::label && !spec.ports.empty()) labels["nerdctl/ports"] = to_nerdctl_json(spec.ports);
  for (const auto& [name, value] : spec.labels) labels[name] = value;
  std::vector<std::string> flags;
  for (const auto& [name, value] : labels) flags.insert(flags.end(), {"--label", name + "=" + value});
  return flags;
}

// The configuration for runc: the minimum for the echo-server.
std::string containerd_engine::runtime_config(const container_spec& spec) const {
  constexpr const char* capabilities = R"(["CAP_NET_BIND_SERVICE","CAP_KILL"])";
  return fmt::format(
      R"({{"ociVersion":"1.0.2","process":{{"user":{{"uid":0,"gid":0}},"args":["/echo-server","{}"],"env":["ECHO_NAME={}"],)"
      R"("cwd":"/","capabilities":{{"bounding":{},"effective":{},"permitted":{}}}}},"root":{{"path":"{}"}},)"
      R"("mounts":[{{"destination":"/proc","type":"proc","source":"proc"}}],"linux":{{"cgroupsPath":"/{}/{}",)"
      R"("namespaces":[{{"type":"pid"}},{{"type":"ipc"}},{{"type":"uts"}},{{"type":"mount"}},)"
      R"({{"type":"network","path":"{}"}}]}}}})",
      fmt::join(spec.serves, R"(",")"), spec.name, capabilities, capabilities, capabilities,
      (directory_ / "root").string(), control_group_, full_id(spec), netns_path(spec));
}

void containerd_engine::create(const container_spec& spec) {
  if (spec.note == port_note::state_directory) {
    fs::create_directories(state_directory(spec));
    std::ofstream(state_directory(spec) / "network-config.json")
        << fmt::format(R"({{"portMappings":{}}})", to_nerdctl_json(spec.ports));
  }
  const auto config = directory_ / (full_id(spec) + ".json");
  std::ofstream(config) << runtime_config(spec);
  std::vector<std::string> arguments{"containers", "create", "--config", config};
  const auto flags = label_flags(spec);
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back(spec.name);
  ctr(spec.name_space, std::move(arguments));
}

void containerd_engine::attach(const container_spec& spec) {
  auto options = inside();
  options.argv = {"ip", "netns", "add", full_id(spec)};
  run_or_throw(options);
  for (unsigned n = 0; n < spec.networks; ++n)
    network(spec, n).attach(full_id(spec), netns_path(spec), spec.ports, spec.backend);
}

void containerd_engine::start_task(const container_spec& spec) const {
  ctr(spec.name_space, {"tasks", "start", "--detach", "--null-io", spec.name});
}

void containerd_engine::execute(const container_spec& spec, std::vector<std::string> command) const {
  command.insert(command.begin(),
                 {"tasks", "exec", "--fifo-dir", directory_ / "fifo", "--exec-id", "beside", spec.name});
  ctr(spec.name_space, std::move(command));
}

void containerd_engine::end_task(const container_spec& spec) const {
  ctr(spec.name_space, {"tasks", "delete", "--force", spec.name});
}

void containerd_engine::run(const container_spec& spec) {
  create(spec);
  attach(spec);
  start_task(spec);
}

void containerd_engine::remove(const container_spec& spec) {
  if (ctr(spec.name_space, {"tasks", "list", "-q"}).contains(spec.name)) end_task(spec);
  ctr(spec.name_space, {"containers", "delete", spec.name});
  for (unsigned n = 0; n < spec.networks; ++n)
    network(spec, n).detach(full_id(spec), netns_path(spec), spec.ports, spec.backend);
  auto options = inside();
  options.argv = {"ip", "netns", "delete", full_id(spec)};
  run_or_throw(options);
}

}  // namespace support
