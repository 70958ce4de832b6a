// Each program keeps the rights of its unit and no others, however it is started, and says which of them it lacks.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/one_program_lab.hpp"

namespace integration {
namespace {

struct unit {
  const char* name;
  std::vector<std::string> argv;         // DIR: the test's directory
  std::vector<std::string> required{};   // capabilities without which it does not start
  std::vector<std::string> variables{};  // of its environment
};
void PrintTo(const unit& u, std::ostream* to) { *to << u.name; }

const std::vector<unit> units{
    {"host-switch", {"host-switch", "-network=kernel", "-api-address=127.0.0.1:8999"}},
    {"wsl-proxy", {"wsl-proxy", "-logfile=", "-socketFile=DIR/socket"}},
    {"privileged-service", {"privileged-service", "-socketFile=DIR/socket"}},
    {"vtunnel-host", {"vtunnel", "host", "-config-path=DIR/vtunnel.yaml"}},
    {"vtunnel-peer", {"vtunnel", "peer", "-config-path=DIR/vtunnel.yaml"}},
    {"rancher-desktop-guestagent",
     {"rancher-desktop-guestagent", "-docker", "-docker-socket=DIR/docker.sock", "-status-socket=DIR/status",
      "-state-dir=DIR/state", "-wsl-proxy-socket=DIR/wsl", "-host-switch-url=http://127.0.0.1:1"}},
    {"network-setup",
     {"network-setup", "-logfile=", "-vm-switch-path=DIR/none", "-namespace-service=none", "-pid-file=DIR/pid",
      "-connect=unix://DIR/link"},
     {"CAP_NET_ADMIN", "CAP_SYS_ADMIN"},
     {"SYSTEMD_EXEC_PID=1"}},
};

class every_unit : public one_program_lab, public testing::WithParamInterface<unit> {
 protected:
  void SetUp() override {
    one_program_lab::SetUp();
    write_tunnel(3041);
  }
  void start(std::optional<support::unit_rights> rights, const std::vector<std::string>& more_flags = {}) {
    std::vector<std::string> argv;
    for (auto word : GetParam().argv) {
      if (const auto at = word.find("DIR"); at != std::string::npos) word.replace(at, 3, directory_.path().string());
      argv.push_back(word);
    }
    argv.insert(argv.end(), more_flags.begin(), more_flags.end());
    launch_program({.argv = argv, .rights = rights, .variables = GetParam().variables});
  }
};

// Started by root with everything, as OpenRC does.
TEST_P(every_unit, gives_up_all_rights_but_the_unit_s) {
  const auto set = support::rights_of_unit(GetParam().name).capabilities;
  start(std::nullopt);
  ASSERT_TRUE(serves()) << log();
  const auto threads = support::rights_of_threads(program_.pid());
  EXPECT_EQ(threads.front().bounding, set) << "the unit and the program differ";
  EXPECT_EQ(threads.front().effective, set);
  EXPECT_GE(threads.size(), 2U);
  for (const auto& thread : threads) {
    EXPECT_EQ((thread.permitted | thread.effective | thread.inheritable | thread.ambient) & ~set, 0U);
    EXPECT_TRUE(thread.no_new_privileges);
    EXPECT_EQ(thread.filtered, support::programs_filter_calls());
  }
  EXPECT_EQ(program_.stop(), 0);
  EXPECT_FALSE(log().contains("runs without")) << log();
  EXPECT_FALSE(log().contains("system call")) << log();
}

TEST_P(every_unit, filters_no_calls_if_told_so) {
  start(std::nullopt, {"-seccomp=false"});
  ASSERT_TRUE(serves()) << log();
  for (const auto& thread : support::rights_of_threads(program_.pid())) EXPECT_FALSE(thread.filtered);
}

TEST_P(every_unit, says_which_right_is_missing) {
  const auto whole = support::rights_of_unit(GetParam().name);
  for (unsigned number = 0; number < 64; ++number) {
    if (!whole.has(number)) continue;
    const std::string name(support::name_of_capability(number));
    SCOPED_TRACE(name);
    start(whole.without(number));
    if (std::ranges::count(GetParam().required, name) > 0) {
      EXPECT_EQ(program_.wait(patience), 1);
      EXPECT_THAT(log(), HasSubstr("it needs " + name));
      continue;
    }
    EXPECT_TRUE(serves()) << log();
    EXPECT_THAT(log(), HasSubstr("runs without " + name + " ("));
    EXPECT_EQ(program_.stop(), 0) << log();
  }
}

INSTANTIATE_TEST_SUITE_P(all, every_unit, testing::ValuesIn(units), [](const auto& one) {
  std::string name = one.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
});

// Programs that an ordinary user may start, with at most one right.
class ordinary_user : public one_program_lab {
 protected:
  void SetUp() override {
    one_program_lab::SetUp();
    fs::permissions(directory_.path(), fs::perms::owner_all | fs::perms::group_all | fs::perms::others_all);
  }
  void start(bool low_ports, const std::vector<std::string>& argv) {
    std::vector<std::string> as{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    if (low_ports) as.insert(as.end(), {"--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"});
    launch_program({.argv = argv, .through = as});
  }
  void publish(std::uint16_t port) const {
    send_message(
        fmt::format(R"({{"remove":false,"ports":{{"80/tcp":[{{"HostIp":"127.0.0.1","HostPort":"{}"}}]}}}})", port));
  }
};

TEST_F(ordinary_user, runs_wsl_proxy) {
  const std::vector<std::string> argv{"wsl-proxy", "-logfile=", "-socketFile=" + at("socket")};
  start(false, argv);
  ASSERT_TRUE(serves()) << log();
  EXPECT_THAT(log(), HasSubstr("runs without CAP_NET_BIND_SERVICE (ports below 1024 are not opened)"));
  publish(80);
  publish(8080);
  EXPECT_TRUE(eventually(patience, [this] { return listens(8080); })) << log();
  EXPECT_TRUE(has_logged("ports below 1024 need CAP_NET_BIND_SERVICE")) << log();
  EXPECT_FALSE(listens(80));
  EXPECT_EQ(program_.stop(), 0);
  start(true, argv);
  ASSERT_TRUE(serves()) << log();
  publish(80);
  EXPECT_TRUE(eventually(patience, [this] { return listens(80); })) << log();
  EXPECT_FALSE(log().contains("without CAP_NET_BIND_SERVICE"));
  EXPECT_EQ(program_.stop(), 0);
}

TEST_F(ordinary_user, runs_host_switch) {
  const auto forward = [&](int port) {
    return std::vector<std::string>{"host-switch", "-listen=unix://" + at("link"),
                                    fmt::format("-port-forward=127.0.0.1:{}=192.168.127.2:80", port)};
  };
  start(false, forward(8080));
  ASSERT_TRUE(serves()) << log();
  EXPECT_THAT(log(), HasSubstr("runs without CAP_NET_BIND_SERVICE (ports below 1024 are not opened)"));
  EXPECT_TRUE(listens(8080));
  EXPECT_EQ(program_.stop(), 0) << log();
  start(false, forward(80));
  EXPECT_EQ(program_.wait(patience), 1);
  EXPECT_THAT(log(), HasSubstr("ports below 1024 need CAP_NET_BIND_SERVICE"));
  start(true, forward(80));
  ASSERT_TRUE(serves()) << log();
  EXPECT_TRUE(listens(80));
  EXPECT_EQ(program_.stop(), 0) << log();
}

}  // namespace
}  // namespace integration
