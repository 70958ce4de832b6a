// What a program does without one of its rights: it names it, and does the rest.
#include <fmt/format.h>
#include <linux/capability.h>
#include <unistd.h>

#include <charconv>

#include "tests/integration/one_program_lab.hpp"
#include "tests/support/probe.hpp"

namespace integration {
namespace {

using testing::Not;

constexpr unsigned none = 64;  // lost: nothing

class lost_right : public one_program_lab {
 protected:
  // Under its unit's rights but the lost one.
  void start(const std::string& unit, unsigned lost, const std::vector<std::string>& argv) {
    auto rights = support::rights_of_unit(unit);
    if (lost != none) rights = rights.without(lost);
    launch_program({.argv = argv, .rights = rights});
  }
};

// Each needs it for files in a directory of another user.
TEST_F(lost_right, to_files_of_others) {
  const auto theirs = at("theirs");
  fs::create_directory(theirs);
  ASSERT_EQ(::chown(theirs.c_str(), support::unprivileged, support::unprivileged), 0);
  fs::permissions(theirs, fs::perms::owner_all);
  const std::map<std::string, std::vector<std::string>> programs{
      {"host-switch", {"host-switch", "-listen=unix://" + theirs + "/link"}},
      {"wsl-proxy", {"wsl-proxy", "-logfile=", "-socketFile=" + theirs + "/wsl"}},
      {"privileged-service", {"privileged-service", "-socketFile=" + theirs + "/service"}},
      {"rancher-desktop-guestagent",
       {"rancher-desktop-guestagent", "-docker", "-status-socket=" + theirs + "/status", "-state-dir=" + at("state")}}};
  for (const auto& [unit, argv] : programs) {
    SCOPED_TRACE(unit);
    start(unit, none, argv);
    EXPECT_TRUE(serves()) << log();
    start(unit, CAP_DAC_OVERRIDE, argv);
    EXPECT_EQ(program_.wait(patience), 1);
    EXPECT_THAT(log(), HasSubstr("Permission denied"));
    EXPECT_THAT(log(), HasSubstr("runs without CAP_DAC_OVERRIDE"));
  }
}

TEST_F(lost_right, to_a_low_port) {
  write_tunnel(80);
  const std::vector<std::string> argv{"vtunnel", "peer", "-config-path=" + at("vtunnel.yaml")};
  start("vtunnel-peer", none, argv);
  EXPECT_TRUE(serves()) << log();
  start("vtunnel-peer", CAP_NET_BIND_SERVICE, argv);
  EXPECT_EQ(program_.wait(patience), 1);
  EXPECT_THAT(log(), HasSubstr("listen on 127.0.0.1:80: ports below 1024 need CAP_NET_BIND_SERVICE"));
}

// The receive buffer of the UDP socket, as ss shows it: "skmem:(r0,rb16777216,…".
TEST_F(lost_right, to_large_buffers) {
  const auto buffer_of = [&](const std::string& unit, unsigned lost, std::vector<std::string> argv) {
    argv.push_back("-socketFile=" + at("socket"));
    start(unit, lost, argv);
    EXPECT_TRUE(serves()) << log();
    send_message(R"({"remove":false,"ports":{"53/udp":[{"HostIp":"127.0.0.2","HostPort":"5353"}]},)"
                 R"("connectAddrs":[{"network":"ip+net","addr":"127.0.0.1/8"}]})");
    std::string shown;
    EXPECT_TRUE(eventually(patience, [&] {
      shown = support::run_or_throw({.argv = {"ss", "-Hulnm"}, .net_namespace = place_.path()});
      return shown.contains(",rb");
    })) << log();
    std::uint64_t bytes = 0;
    const auto begin = shown.find(",rb") + 3;
    std::from_chars(shown.data() + begin, shown.data() + shown.size(), bytes);
    return bytes;
  };
  const std::map<std::string, std::vector<std::string>> programs{
      {"wsl-proxy", {"wsl-proxy", "-logfile="}}, {"privileged-service", {"privileged-service", "-loopbackTargets"}}};
  for (const auto& [unit, argv] : programs) {
    SCOPED_TRACE(unit);
    EXPECT_EQ(buffer_of(unit, none, argv), 16U << 20);
    EXPECT_LT(buffer_of(unit, CAP_NET_ADMIN, argv), 16U << 20);
    EXPECT_THAT(log(), HasSubstr("runs without CAP_NET_ADMIN (the system's limits apply to the buffers of sockets)"));
  }
}

class agent_without : public lost_right {
 protected:
  void SetUp() override {
    lost_right::SetUp();
    if (IsSkipped()) return;
    listener_ = support::child_process({.argv = {"socat", "TCP-LISTEN:9000", "EXEC:true"},
                                        .net_namespace = place_.path(),
                                        .user = support::unprivileged});
    ASSERT_TRUE(eventually(patience, [this] { return !support::listening_sockets(place_).empty(); }));
  }
  void start_agent(unsigned lost) {
    start("rancher-desktop-guestagent", lost,
          {"rancher-desktop-guestagent", "-docker", "-adminInstall", "-debug", "-docker-socket=" + at("docker.sock"),
           "-status-socket=" + at("status"), "-state-dir=" + at("state"), "-wsl-proxy-socket=" + at("wsl"),
           "-host-switch-url=http://127.0.0.1:1"});
  }
  [[nodiscard]] std::string status() const {
    const auto program = support::program_directory() / "guestagentctl";
    return support::run_command({.argv = {program, "status", "-socket=" + at("status")}}).text;
  }
  support::child_process listener_;
};

// The control: all of these lines come from what is lost.
TEST_F(agent_without, nothing_reads_and_reports_all) {
  support::run_or_throw({.argv = {"iptables-legacy", "-t", "nat", "-L"}, .net_namespace = place_.path()});
  start_agent(none);
  ASSERT_TRUE(eventually(patience,
                         [this] {
                           const auto shown = status();
                           return shown.contains("iptables   ok") && shown.contains("listeners  ok        1");
                         }))
      << log() << status();
  EXPECT_THAT(log(), Not(HasSubstr("scanning every second")));
  EXPECT_THAT(log(), Not(HasSubstr("runs without")));
}

TEST_F(agent_without, net_admin_has_no_rules) {
  start_agent(CAP_NET_ADMIN);
  EXPECT_TRUE(eventually(patience, [this] { return status().contains("iptables   degraded"); })) << log();
  EXPECT_THAT(log(), HasSubstr("runs without CAP_NET_ADMIN (the rules of netfilter are neither read nor made)"));
}

TEST_F(agent_without, net_raw_has_no_legacy_rules) {
  support::run_or_throw({.argv = {"iptables-legacy", "-t", "nat", "-L"}, .net_namespace = place_.path()});
  start_agent(CAP_NET_RAW);
  EXPECT_TRUE(eventually(patience, [this] { return status().contains("iptables   degraded"); })) << log();
  EXPECT_THAT(log(), HasSubstr("runs without CAP_NET_RAW (iptables-legacy does not work)"));
}

TEST_F(agent_without, bpf_scans) {
  start_agent(CAP_BPF);
  EXPECT_TRUE(has_logged("the kernel does not report opened sockets, scanning every second")) << log();
  EXPECT_THAT(log(), HasSubstr("runs without CAP_BPF (new listeners are found late)"));
}

TEST_F(agent_without, a_right_to_processes_publishes_none_that_is_in_doubt) {
  for (const unsigned lost : {unsigned{CAP_SYS_PTRACE}, unsigned{CAP_DAC_OVERRIDE}}) {
    start_agent(lost);
    EXPECT_TRUE(eventually(patience, [this] { return status().contains("its process cannot be determined"); }))
        << log();
    EXPECT_THAT(status(), HasSubstr("listeners  degraded"));
    EXPECT_THAT(log(), HasSubstr(fmt::format("runs without {} (", support::name_of_capability(lost))));
  }
}

}  // namespace
}  // namespace integration
