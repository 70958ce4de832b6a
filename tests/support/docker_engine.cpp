#include "tests/support/docker_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/text.hpp"
#include "tests/support/control_group.hpp"
#include "tests/support/engine_programs.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/unique_name.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

constexpr const char* image = "echo";
constexpr std::chrono::seconds start_limit{30};

std::string_view suffix(iptables_variant variant) { return variant == iptables_variant::nft ? "-nft" : "-legacy"; }

}  // namespace

void make_tool_directory(const fs::path& directory, iptables_variant variant) {
  fs::create_directories(directory);
  for (const std::string family : {"iptables", "ip6tables"})
    for (const char* tool : {"", "-save", "-restore"})
      fs::create_symlink(fmt::format("/usr/sbin/{}{}{}", family, suffix(variant), tool), directory / (family + tool));
}

namespace {

// Skips tables without a rule: an engine may leave an empty one behind.
bool says_something(std::string_view line) {
  return line.starts_with('-') || (line.starts_with(':') && !line.contains(" ACCEPT "));
}

}  // namespace

std::vector<std::string> iptables_rules(const netns& where) {
  const auto save = [&where](const char* tool) {
    return run_or_throw({.argv = {tool}, .net_namespace = where.path()});
  };
  const auto text = save("iptables-nft-save") + save("iptables-legacy-save");
  std::vector<std::string> all;
  for (const auto line : base::split(text, '\n'))
    if (says_something(line)) all.emplace_back(line.substr(0, line[0] == ':' ? line.find(' ') : line.size()));
  std::ranges::sort(all);
  return all;
}

docker_engine::docker_engine(const netns& where, fs::path directory, docker_options options)
    : where_(where),
      directory_(std::move(directory)),
      options_(std::move(options)),
      control_group_(unique_name("docker")) {
  remove_leftover_control_groups();
  fs::create_directories(directory_);
  make_tool_directory(directory_ / "tools", options_.iptables);
  make_image_archive();
}

docker_engine::~docker_engine() {
  daemon_.kill9();
  thaw_control_groups(control_group_);
  box_.end();
  remove_control_groups(control_group_);
}

void docker_engine::make_image_archive() const {
  const auto root = directory_ / "image";
  fs::create_directories(root);
  fs::copy_file(GUESTAGENT_ECHO_SERVER, root / "echo-server", fs::copy_options::overwrite_existing);
  run_or_throw({.argv = {"tar", "-C", root, "-cf", directory_ / "image.tar", "."}});
}

void docker_engine::launch() {
  const auto at = [this](const char* name) { return (directory_ / name).string(); };
  fs::remove(at("pid"));  // of one that was killed: dockerd does not start if another process has its number by now
  daemon_ =
      child_process({.argv = {dockerd_program(), "--data-root", at("data"), "--exec-root", at("exec"), "-H",
                              "unix://" + socket().string(), "--pidfile", at("pid"), "--bip", options_.bridge_address,
                              "--cgroup-parent", "/" + control_group_, "--exec-opt", "native.cgroupdriver=cgroupfs",
                              fmt::format("--iptables={}", options_.writes_rules)},
                     .environment = {"TMPDIR=" + directory_.string(), path_for(at("tools"), dockerd_program())},
                     .log = directory_ / "dockerd.log",
                     .stdin_file = {},
                     .net_namespace = where_.path(),
                     .mount_namespace = box_.mount_namespace(),
                     .pid_namespace = box_.pid_namespace()});
}

void docker_engine::start() {
  launch();
  if (!eventually(start_limit, [this] { return answers() || !daemon_.running(); }) || !daemon_.running())
    throw std::runtime_error("dockerd does not start:\n" + log());
  if (docker({"images", "-q", image}).empty()) docker({"import", directory_ / "image.tar", image});
}

bool docker_engine::answers() const { return run_command(client({"version"})).exit_code == 0; }

void docker_engine::stop() { daemon_.stop(std::chrono::seconds(30)); }
void docker_engine::kill9() { daemon_.kill9(); }

child_options docker_engine::client(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), docker_program());
  return {
      .argv = std::move(arguments),
      .environment = {"DOCKER_HOST=unix://" + socket().string(), "DOCKER_CONFIG=" + (directory_ / "client").string()}};
}

std::string docker_engine::docker(std::vector<std::string> arguments, std::chrono::milliseconds limit) const {
  return std::string(base::trim(run_or_throw(client(std::move(arguments)), limit)));
}

child_process docker_engine::docker_started(std::vector<std::string> arguments) const {
  auto options = client(std::move(arguments));
  options.log = directory_ / "client.log";
  return child_process(options);
}

std::vector<std::string> docker_engine::run_arguments(const std::string& name,
                                                      const std::vector<std::string>& arguments,
                                                      const std::vector<std::string>& ports) {
  std::vector<std::string> all{"run", "-d", "--name", name, "--hostname", name};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.insert(all.end(), {image, "/echo-server"});
  all.insert(all.end(), ports.begin(), ports.end());
  return all;
}

void docker_engine::run(const std::string& name, const std::vector<std::string>& arguments,
                        const std::vector<std::string>& ports) const {
  docker(run_arguments(name, arguments, ports), std::chrono::seconds(90));
}

}  // namespace support
