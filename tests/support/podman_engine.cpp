#include "tests/support/podman_engine.hpp"

#include <unistd.h>

#include <stdexcept>

#include "base/text.hpp"
#include "tests/support/control_group.hpp"
#include "tests/support/engine_programs.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/unique_name.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

constexpr const char* image = "docker.io/library/echo:latest";  // where Docker's client expects "echo"
constexpr std::chrono::seconds limit{60};

}  // namespace

std::string podman_engine::missing() {
  if (::geteuid() != 0) return "needs root";
  for (const auto* program : {"podman", "docker", "conmon", "runc"})
    if (run_command({.argv = {program, "--version"}}).exit_code != 0) return std::string("needs ") + program;
  return "";
}

podman_engine::podman_engine(const netns& where, fs::path directory)
    : where_(where), directory_(std::move(directory)), control_group_(unique_name("podman")) {
  remove_leftover_control_groups();
  fs::create_directories(directory_ / "image");
  fs::copy_file(GUESTAGENT_ECHO_SERVER, directory_ / "image" / "echo-server", fs::copy_options::overwrite_existing);
  run_or_throw({.argv = {"tar", "-C", directory_ / "image", "-cf", directory_ / "image.tar", "."}});
}

podman_engine::~podman_engine() {
  daemon_.kill9();
  box_.end();
  remove_control_groups(control_group_);
}

// CNI's plugins keep addresses in a fixed place: it is the sandbox's own.
std::vector<std::string> podman_engine::service() const {
  const auto at = [this](const char* name) { return (directory_ / name).string(); };
  return {"sh",
          "-c",
          "mkdir -p /var/lib/cni && mount -t tmpfs cni /var/lib/cni && exec \"$@\"",
          "podman",
          "podman",
          "--root=" + at("root"),
          "--runroot=" + at("runroot"),
          "--tmpdir=" + at("tmp"),
          "--network-config-dir=" + at("networks"),
          "--storage-driver=vfs",
          "--cgroup-manager=cgroupfs",
          "--events-backend=file",
          "--runtime=runc",
          "system",
          "service",
          "--time=0",
          "unix://" + socket().string()};
}

void podman_engine::start() {
  daemon_ = child_process({.argv = service(),
                           .environment = {"TMPDIR=" + directory_.string()},
                           .log = directory_ / "podman.log",
                           .stdin_file = {},
                           .net_namespace = where_.path(),
                           .mount_namespace = box_.mount_namespace(),
                           .pid_namespace = box_.pid_namespace()});
  const auto answers = [this] { return run_command(client({"version"})).exit_code == 0; };
  if (!eventually(limit, [&] { return answers() || !daemon_.running(); }) || !daemon_.running())
    throw std::runtime_error("podman does not start:\n" + log());
  if (docker({"images", "-q", image}).empty()) docker({"import", directory_ / "image.tar", image});
}

void podman_engine::kill9() { daemon_.kill9(); }

child_options podman_engine::client(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), docker_program());
  return {
      .argv = std::move(arguments),
      .environment = {"DOCKER_HOST=unix://" + socket().string(), "DOCKER_CONFIG=" + (directory_ / "client").string()}};
}

std::string podman_engine::docker(std::vector<std::string> arguments) const {
  return std::string(base::trim(run_or_throw(client(std::move(arguments)), limit)));
}

void podman_engine::run(const std::string& name, const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{"run", "-d", "--name", name, "--cgroup-parent", "/" + control_group_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.insert(all.end(), {"echo", "/echo-server", "tcp:80"});
  docker(std::move(all));
}

}  // namespace support
