// Common behaviour of all programs: flags, usage, version, exit codes, signals, log lines; and the flags that existing
// scripts use, with their defaults.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <string_view>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/support/lab.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::StartsWith;

struct program {
  const char* name;
  std::vector<std::string> serve;  // starts it as a daemon, with files in DIR; empty: it is not one, or needs a host
  std::map<std::string, std::string> flags{};  // with their defaults; "" for false and for none
};
void PrintTo(const program& p, std::ostream* to) { *to << p.name; }

const std::vector<program> programs{
    {"rancher-desktop-guestagent",
     {"-docker", "-iptables=false", "-privilegedService", "-docker-socket=DIR/docker.sock", "-status-socket=DIR/status",
      "-state-dir=DIR/state", "-vm-interface=none0"},
     {{"docker", ""},
      {"containerd", ""},
      {"containerdSock", "/run/k3s/containerd/containerd.sock"},
      {"kubernetes", ""},
      {"kubeconfig", "/etc/rancher/k3s/k3s.yaml"},
      {"k8sServiceListenerAddr", "0.0.0.0"},
      {"k8sAPIPort", "6443"},
      {"iptables", "true"},
      {"adminInstall", ""},
      {"restrictPrivilegedPorts", "true"},
      {"privilegedService", ""},
      {"vtunnelAddr", "127.0.0.1:3040"},
      {"tap-interface-ip", "192.168.127.2"},
      {"host-switch-url", "http://gateway.rancher-desktop.internal:80"}}},
    {"guestagentctl",
     {},
     {{"json", ""},
      {"watch", ""},
      {"all", ""},
      {"source", ""},
      {"state", ""},
      {"name", ""},
      {"wait", ""},
      {"timeout", "30s"},
      {"socket", "/run/rancher-desktop-guestagent.sock"}}},
    {"host-switch",
     {"-network=kernel", "-api-address=127.0.0.1:8999"},
     {{"subnet", "192.168.127.0/24"}, {"port-forward", ""}, {"metrics-socket", ""}}},
    {"wsl-proxy",
     {"-logfile=", "-socketFile=DIR/wsl-proxy.sock"},
     {{"logfile", "/var/log/wsl-proxy.log"},
      {"socketFile", "/run/wsl-proxy.sock"},
      {"upstreamAddress", "192.168.143.1"},
      {"metrics-socket", ""},
      {"udpBuffer", "8388608"}}},
    {"vtunnel",
     {"peer", "-config-path=DIR/vtunnel.yaml"},
     {{"config-path", "/etc/vtunnel.yaml"}, {"host-cid", "2"}, {"guest-cid", "3"}, {"require-privileged-port", ""}}},
    {"privileged-service",
     {"-socketFile=DIR/privileged.sock"},
     {{"socketFile", "/run/privileged-service.sock"},
      {"listen", ""},
      {"metrics-socket", ""},
      {"udpBuffer", "8388608"}}},
};

const std::vector<program> network_programs{
    {"vm-switch",
     {},
     {{"debug", ""},
      {"logfile", "/var/log/vm-switch.log"},
      {"trace-packets", ""},
      {"tap-interface", "eth0"},
      {"tap-mac-address", "5a:94:ef:e4:0c:ee"},
      {"subnet", "192.168.127.0/24"},
      {"vsock-fd", "3"},
      {"dhcp-script", ""},
      {"mtu", "1500"}}},
    {"network-setup",
     {},
     {{"debug", ""},
      {"logfile", "/var/log/network-setup.log"},
      {"trace-packets", ""},
      {"tap-interface", "eth0"},
      {"tap-mac-address", "5a:94:ef:e4:0c:ee"},
      {"subnet", "192.168.127.0/24"},
      {"dhcp-script", ""},
      {"mtu", "1500"},
      {"vm-switch-path", ""},
      {"vm-switch-logfile", ""},
      {"unshare-arg", ""},
      {"namespace-service", "network-namespace.service"},
      {"pid-file", "/run/wsl-init.pid"}}},
};

class every_program : public testing::TestWithParam<program> {
 protected:
  void SetUp() override {
    if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
    std::ofstream(directory_.path() / "vtunnel.yaml")
        << "tunnel: [{name: a, handshake-port: unix:" << directory_.path().string()
        << "/h, vsock-host-port: unix:/none, peer-address: 127.0.0.1, peer-port: 3041, upstream-server-address: "
           "127.0.0.1:1}]\n";
  }
  static std::string path() { return support::program_directory() / GetParam().name; }
  support::command_output run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), path());
    return support::run_command({.argv = std::move(arguments), .net_namespace = place_.path()});
  }
  support::lab_directory directory_;
  support::netns place_{"programs"};
};

TEST_P(every_program, explains_itself) {
  for (const auto* flag : {"-h", "--help"}) {
    const auto help = run({flag});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.text, StartsWith(std::string("Usage: ") + GetParam().name));
  }
  for (const auto* flag : {"-version", "--version"}) {
    const auto version = run({flag});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_TRUE(std::regex_match(version.text, std::regex(std::string(GetParam().name) + R"( \d+\.\d+\.\d+\n)")))
        << version.text;
  }
}

TEST_P(every_program, needs_descriptors) {
  const auto few = support::run_command({.argv = {"/bin/sh", "-c", "ulimit -n 32; exec \"$0\" -version", path()}});
  EXPECT_EQ(few.exit_code, 1);
  EXPECT_THAT(few.text,
              StartsWith(std::string(GetParam().name) + ": at most 32 descriptors are allowed, 64 are needed"));
}

// A script sees by the exit code that it has no page, no completions, no version.
TEST_P(every_program, fails_if_it_cannot_print_what_was_asked_for) {
  const auto run_by_shell = [](const std::string& words) {
    return support::run_command({.argv = {"/bin/sh", "-c", "exec \"$0\" " + words, path()}});
  };
  for (const std::string words : {"-version", "-man", "-completions bash"})
    for (const auto* output : {">&-", ">/dev/full"}) {
      const auto printed = run_by_shell(words + " " + output);
      EXPECT_EQ(printed.exit_code, 1) << words << output;
      EXPECT_THAT(printed.text, StartsWith(std::string(GetParam().name) + ": standard output: "));
    }
  for (const auto* output : {"2>&-", "2>/dev/full"}) {
    EXPECT_EQ(run_by_shell(std::string("-h ") + output).exit_code, 1) << output;
    EXPECT_EQ(run_by_shell(std::string("-nosuchflag ") + output).exit_code, 2) << output;
  }
}

TEST_P(every_program, has_the_flags_that_scripts_give_it) {
  auto flags = GetParam().flags;
  if (!GetParam().serve.empty()) flags.insert({{"debug", ""}, {"logfile", ""}});
  const auto usage = run({"-h"}).text + "  -";
  for (const auto& [name, shown] : flags) {
    const auto at = std::min(usage.find("\n  -" + name + "\n"), usage.find("\n  -" + name + " "));
    ASSERT_NE(at, std::string::npos) << name;
    const auto end = usage.find("\n  -", at + 1);
    const auto text = std::regex_replace(usage.substr(at, end - at), std::regex("\n +"), " ");
    EXPECT_EQ(text.contains("(default "), !shown.empty()) << text;
    EXPECT_TRUE(shown.empty() || text.ends_with(" (default " + shown + ")")) << text;
  }
}

TEST_P(every_program, refuses_a_wrong_command_line) {
  const auto unknown = run({"-nosuchflag"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.text, StartsWith("flag provided but not defined: -nosuchflag\nUsage: "));
  const auto last = std::string("\n") + GetParam().name + ": flag provided but not defined: -nosuchflag\n";
  EXPECT_THAT(unknown.text, EndsWith(last)) << "the usage may scroll the first line away";
  const auto word = run({"nosuchword"});
  EXPECT_EQ(word.exit_code, 2);
  EXPECT_THAT(word.text, ContainsRegex("^(unexpected argument|unknown command): nosuchword\nUsage: "));
}

// A log that is a full pipe, or a recording on a disk that hangs.
class stuck : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
  }
  [[nodiscard]] std::string at(const char* name) const { return (directory_.path() / name).string(); }
  // A FIFO that has a reader, and no room.
  static base::unique_fd full_pipe(const std::string& path) {
    if (::mkfifo(path.c_str(), 0600) != 0) return {};
    base::unique_fd made(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    for (const std::string bytes(4'096, 'x'); ::write(made.get(), bytes.data(), bytes.size()) > 0;) {
    }
    return made;
  }
  [[nodiscard]] support::child_process host_switch(const std::string& recording, const std::string& log) const {
    return support::child_process({.argv = {support::program_directory() / "host-switch",
                                            "-listen=unix://" + log + ".link", "-pcap=" + recording},
                                   .log = log,
                                   .net_namespace = place_.path()});
  }
  // Whether it catches SIGTERM by now.
  static bool is_ready(const support::child_process& one) {
    const auto status = support::read_text(fmt::format("/proc/{}/status", one.pid()));
    const std::string_view words = "SigCgt:\t";
    const auto at = status.find(words);
    if (at == std::string::npos) return false;
    return (std::stoull(status.substr(at + words.size(), 16), nullptr, 16) >> (SIGTERM - 1) & 1U) != 0;
  }

  support::lab_directory directory_;
  support::netns place_{"stuck"};
};

TEST_F(stuck, programs_end_with_0_within_five_seconds) {
  const support::hanging_directory disk;
  if (!disk.there()) GTEST_SKIP() << "needs FUSE";
  const auto pipe = full_pipe(at("pipe"));
  ASSERT_TRUE(pipe);
  auto logs = host_switch(at("frames"), at("pipe")), records = host_switch(disk.path() / "frames", at("log"));
  for (auto* one : {&logs, &records}) ASSERT_TRUE(support::eventually(10s, [&] { return is_ready(*one); }));
  for (auto* one : {&logs, &records}) one->signal(SIGTERM);
  for (auto* one : {&logs, &records}) EXPECT_EQ(one->wait(7s), 0);
}

TEST_P(every_program, ends_with_0_when_asked_to) {
  if (GetParam().serve.empty()) return;  // not a daemon
  const std::regex line(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z (DEBUG|INFO|WARN|ERROR) [a-z-]+: .+)");
  for (const int number : {SIGTERM, SIGINT}) {
    std::vector<std::string> argv{path()};
    for (auto flag : GetParam().serve) {
      if (const auto at = flag.find("DIR"); at != std::string::npos) flag.replace(at, 3, directory_.path().string());
      argv.push_back(flag);
    }
    const auto log = directory_.path() / ("log" + std::to_string(number));
    const auto rights = support::rights_of_unit(support::unit_of(GetParam().name, GetParam().serve));
    support::child_process running({.argv = argv, .log = log, .net_namespace = place_.path(), .rights = rights});
    const std::regex ready(" INFO [a-z-]+: ready version=");
    EXPECT_TRUE(support::eventually(10s, [&] { return std::regex_search(support::read_text(log), ready); }));
    running.signal(number);
    EXPECT_EQ(running.wait(10s), 0) << support::read_text(log);
    std::istringstream lines(support::read_text(log));
    for (std::string text; std::getline(lines, text);) EXPECT_TRUE(std::regex_match(text, line)) << text;
  }
}

std::string name_of(const testing::TestParamInfo<program>& one) {
  std::string name = one.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(all, every_program, testing::ValuesIn(programs), name_of);
INSTANTIATE_TEST_SUITE_P(network, every_program, testing::ValuesIn(network_programs), name_of);

TEST(agent, must_run_as_root) {
  if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
  const auto agent = support::program_directory() / "rancher-desktop-guestagent";
  const auto ran = support::run_command({.argv = {agent, "-docker"}, .user = support::unprivileged});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.text, EndsWith("rancher-desktop-guestagent: agent must run as root\n"));
}

// The stream behind it must live as long as a client watches, and no longer than the agent.
TEST(guestagentctl, watches_until_the_agent_stops) {
  if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
  const support::lab_directory directory;
  const support::netns place("watch");
  const auto at = [&](const char* name) { return (directory.path() / name).string(); };
  const auto start = [&](const char* program, std::vector<std::string> flags) {
    flags.insert(flags.begin(), support::program_directory() / program);
    std::optional<support::unit_rights> rights;
    if (std::string_view(program) == "rancher-desktop-guestagent") rights = support::rights_of_unit(program);
    return support::child_process({.argv = flags, .log = at(program), .net_namespace = place.path(), .rights = rights});
  };
  auto agent = start("rancher-desktop-guestagent",
                     {"-docker", "-iptables=false", "-docker-socket=" + at("no-docker.sock"),
                      "-wsl-proxy-socket=" + at("no-wsl-proxy.sock"), "-host-switch-url=http://127.0.0.1:1",
                      "-status-socket=" + at("status.sock"), "-state-dir=" + at("state")});
  ASSERT_TRUE(support::eventually(10s, [&] { return std::filesystem::exists(at("status.sock")); }));
  auto watch = start("guestagentctl", {"ports", "--watch", "-socket=" + at("status.sock")});
  auto leaves = start("guestagentctl", {"status", "--watch", "-socket=" + at("status.sock")});
  const auto shows = [&](const char* text) {
    return support::eventually(10s, [&] { return support::read_text(at("guestagentctl")).contains(text); });
  };
  EXPECT_TRUE(shows("PROTOCOL"));
  EXPECT_TRUE(shows("non-admin"));
  leaves.kill9();
  // What follows the agent ends with its reader, also while there is nothing to print.
  for (const auto* output : {">&-", "| true"}) {
    const auto events = std::string("\"$0\" events -socket=\"$1\" ") + output;
    const auto ended = support::run_command(
        {.argv = {"/bin/sh", "-c", events, support::program_directory() / "guestagentctl", at("status.sock")}});
    EXPECT_THAT(ended.text, StartsWith("guestagentctl: standard output: ")) << output;
  }
  const auto server = start("host-switch", {"-network=kernel", "-api-address=127.0.0.1:8999"});
  EXPECT_TRUE(shows("127.0.0.1:8999"));
  EXPECT_EQ(agent.stop(), 0) << support::read_text(at("rancher-desktop-guestagent"));
  EXPECT_EQ(watch.wait(10s), 1);
  EXPECT_TRUE(shows("the agent has stopped")) << support::read_text(at("guestagentctl"));
}

}  // namespace
}  // namespace integration
