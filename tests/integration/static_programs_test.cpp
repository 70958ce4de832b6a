// The programs that ship need nothing of the system but the kernel: each runs in a root that holds it and nothing else.
// The programs of a build for tests are dynamic, so these are skipped for them.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"

namespace integration {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

const std::vector<std::string> programs{
    "rancher-desktop-guestagent", "guestagentctl", "host-switch",  "wsl-proxy", "vtunnel",
    "privileged-service",         "vm-switch",     "network-setup"};

// A root directory with these programs and empty directories.
class small_root {
 public:
  explicit small_root(const std::vector<std::string>& names) {
    for (const auto* name : {"bin", "etc", "proc", "run", "tmp"}) fs::create_directories(path() / name);
    for (const auto& name : names) fs::copy_file(support::program_directory() / name, path() / "bin" / name);
  }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }

  // The command that runs a program in it. A mount namespace of its own holds its /proc.
  [[nodiscard]] std::vector<std::string> command(const std::string& name, const std::vector<std::string>& flags) const {
    std::vector<std::string> argv{
        "unshare", "--mount",     "sh", "-c", R"(mount -t proc proc "$0/proc" && exec chroot "$0" "$@")",
        path(),    "/bin/" + name};
    argv.insert(argv.end(), flags.begin(), flags.end());
    return argv;
  }
  [[nodiscard]] std::string log(const std::string& name) const { return support::read_text(path() / (name + ".log")); }

 private:
  support::lab_directory directory_;
};

class static_programs : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (support::programs_are_this_builds()) GTEST_SKIP() << "the programs of this build are dynamic";
  }
};

TEST_F(static_programs, need_no_dynamic_linker_and_no_library) {
  for (const auto& name : programs) {
    const auto listed = support::run_command({.argv = {"ldd", support::program_directory() / name}});
    EXPECT_THAT(listed.text, ContainsRegex("statically linked|not a dynamic executable")) << name;
  }
}

TEST_F(static_programs, each_prints_its_usage_in_a_root_of_its_own) {
  for (const auto& name : programs) {
    const small_root root({name});
    const auto got = support::run_command({.argv = {"chroot", root.path(), "/bin/" + name, "-h"}});
    EXPECT_EQ(got.exit_code, 0) << name << ": " << got.text;
    EXPECT_THAT(got.text, StartsWith("Usage: " + name)) << name;
  }
}

// Docker's API is a fake's; the agent finds host-switch by a name of the root's hosts file.
TEST_F(static_programs, publish_a_port_from_a_root_of_their_own) {
  const support::netns host("host"), vm("vm");
  host.ip({"link", "add", "vm", "type", "veth", "peer", "name", "eth0", "netns", vm.name()});
  host.ip({"addr", "add", "192.168.127.1/24", "dev", "vm"});
  host.ip({"link", "set", "vm", "up"});
  vm.ip({"addr", "add", "192.168.127.2/24", "dev", "eth0"});
  vm.ip({"link", "set", "eth0", "up"});
  const small_root root({"rancher-desktop-guestagent", "guestagentctl", "host-switch"});
  std::ofstream(root.path() / "etc/hosts") << "192.168.127.1 gateway.rancher-desktop.internal\n";
  const auto start = [&](const support::netns& where, const std::string& name, const std::vector<std::string>& flags) {
    return support::child_process(
        {.argv = root.command(name, flags), .log = root.path() / (name + ".log"), .net_namespace = where.path()});
  };
  support::event_loop loop;
  support::fake_docker docker(loop.executor(), root.path() / "run/docker.sock");
  docker.start();
  docker.run("web", 8080);
  auto host_switch = start(host, "host-switch", {"-network=kernel"});
  auto agent = start(
      vm, "rancher-desktop-guestagent",
      {"-docker", "-iptables=false", "-docker-socket=/run/docker.sock", "-status-socket=/run/status",
       "-state-dir=/run/state", "-vm-interface=none0", "-host-switch-url=http://gateway.rancher-desktop.internal"});
  std::string forwards;
  const bool published = loop.run_until(
      [&] {
        forwards =
            support::http_get(vm, {net::address::v4(192, 168, 127, 1), 80}, "/services/forwarder/all").value_or("");
        return forwards.find(":8080") != std::string::npos;
      },
      30s);
  EXPECT_TRUE(published) << forwards << root.log("rancher-desktop-guestagent") << root.log("host-switch");
  const auto listed = support::run_command({.argv = root.command("guestagentctl", {"-socket=/run/status", "ports"})});
  EXPECT_EQ(listed.exit_code, 0);
  EXPECT_THAT(listed.text, HasSubstr("8080"));
  EXPECT_EQ(agent.stop(), 0);
  EXPECT_EQ(host_switch.stop(), 0);
  docker.stop();
  loop.settle();
}

}  // namespace
}  // namespace integration
