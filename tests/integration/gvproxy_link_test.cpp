// The virtual network with one end of gvisor-tap-vsock's: gvforwarder as the VM's end of host-switch's link, and
// gvproxy as the host's end of vm-switch's. The agent runs in both. The environment variables GVFORWARDER and GVPROXY
// name the programs, of version 0.8.9.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <fstream>

#include "net/stream_address.hpp"
#include "os/child_program.hpp"
#include "os/namespaces.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

constexpr auto host_ip = net::address::v4(10, 99, 1, 1), lan_ip = net::address::v4(10, 99, 1, 2);

void write_program(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

// Empty if it does not accept yet.
base::unique_fd connect_to(const std::string& path) {
  base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto to = net::to_sockaddr(net::stream_address(net::unix_path{path}));
  if (::connect(fd.get(), to.get(), to.size) != 0) return {};
  return fd;
}

class gvproxy_link : public virtual_network_lab {
 protected:
  void SetUp() override {
    make_places();
    if (!lan_) return;
    std::filesystem::create_directory(at("bin"));
    // Neither end names a script, and the machine's resolv.conf is not the namespace's.
    write_program(at("bin/udhcpc"), fmt::format("#!/bin/sh\nexec busybox udhcpc \"$@\" -s {}\n", at("lease")));
    write_program(at("lease"),
                  "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip address replace \"$ip/$mask\" dev \"$interface\"\n"
                  "ip route replace default via \"$router\"\n");
    servers_.push_back(serve(*host_, {"tcp:127.0.0.1/7000"}, "host"));
    servers_.push_back(serve(*lan_, {"tcp:7000", "udp:7000"}, "lan"));
    server_ = serve(*vm_, {"tcp:8080", "udp:8080"}, "vm");
    servers_.push_back(hash_server(*lan_));
    servers_.push_back(hash_server(*vm_));
    support::run_or_throw({.argv = {"dd", "if=/dev/urandom", "of=" + at("data"), "bs=1M", "count=20"}});
    hash_ = support::run_or_throw({.argv = {"md5sum"}, .stdin_file = at("data")});
  }
  void TearDown() override {
    if (!directory_) return;
    if (HasFailure())
      std::fputs((support::read_text(at("agent.log")) + support::read_text(at("end.log"))).c_str(), stderr);
    agent_.stop();
    virtual_network_lab::TearDown();
  }

  [[nodiscard]] static support::child_process hash_server(const support::netns& where) {
    return support::child_process(
        {.argv = {"busybox", "nc", "-ll", "-p", "7001", "-e", "md5sum"}, .net_namespace = where.path()});
  }
  [[nodiscard]] std::vector<std::string> path_variable() const {
    return {fmt::format("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", at("bin"))};
  }
  void start_gvforwarder(const std::string& program) {
    end_ = support::child_process(
        {.argv = {program, "-url", "unix://" + at("link.sock"), "-iface", "eth0", "-stop-if-exist", ""},
         .environment = path_variable(),
         .log = at("end.log"),
         .net_namespace = vm_->path()});
  }
  void start_gvproxy(const std::string& program) {
    end_ = support::child_process({.argv = {program, "-ssh-port", "-1", "-listen", "unix://" + at("gv.sock")},
                                   .log = at("end.log"),
                                   .net_namespace = host_->path()});
  }
  // As gvforwarder begins.
  void start_vm_switch() {
    base::unique_fd link;
    ASSERT_TRUE(eventually(10s, [&] { return static_cast<bool>(link = connect_to(at("gv.sock"))); }));
    const std::string_view request = "POST /connect HTTP/1.1\r\nHost: gvproxy\r\nContent-Length: 0\r\n\r\n";
    ASSERT_EQ(::send(link.get(), request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    space_ = vm_->run([] { return *os::net_namespace_of(::gettid()); });
    auto started = os::child_program::start(
        loop_.executor(), {.argv = {support::program_directory() / "vm-switch", "-debug", "-logfile", at("end.log")},
                           .environment = path_variable(),
                           .descriptors = {{link.get(), 3}},
                           .net_namespace = space_.get()});
    ASSERT_TRUE(started) << started.error().message();
    vm_switch_.emplace(std::move(*started));
  }
  // Without an engine, so that it knows all sources.
  void start_agent() {
    agent_ = support::child_process(
        {.argv = {support::program_directory() / "rancher-desktop-guestagent", "-adminInstall", "-docker=false",
                  "-containerd=false", "-kubernetes=false", "-iptables", "-listeners",
                  "-wsl-proxy-socket=" + at("no-proxy.sock"), "-status-socket=" + at("status.sock"),
                  "-state-dir=" + at("state"), "-host-switch-url=http://" + net::to_string(gateway_api), "-debug"},
         .log = at("agent.log"),
         .net_namespace = vm_->path()});
  }
  [[nodiscard]] std::string hash_by(const support::netns& from, const net::address& to) const {
    return support::run_command({.argv = {"busybox", "nc", to.to_string(), "7001"},
                                 .stdin_file = at("data"),
                                 .net_namespace = from.path()})
        .text;
  }
  [[nodiscard]] bool reaches(const support::netns& from, const net::endpoint& to, const std::string& name) const {
    return support::ask(from, protocol::tcp, to, "hello\n") == name + "\n";
  }

  void expect_ways_out() {
    ASSERT_TRUE(eventually(20s, [this] { return reaches(*vm_, {lan_ip, 7000}, "lan"); })) << log();
    EXPECT_TRUE(reaches(*vm_, {host_alias, 7000}, "host"));
    EXPECT_EQ(support::ask(*vm_, protocol::udp, {lan_ip, 7000}, "hello"), "lan hello");
    const std::string question(
        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04host\x06"
        "docker\x08internal\x00\x00\x01\x00\x01",
        38);
    const auto answer = support::ask(*vm_, protocol::udp, {gateway_api.ip, 53}, question, 5s).value_or("");
    EXPECT_TRUE(answer.ends_with("\xc0\xa8\x7f\xfe")) << answer.size();
    EXPECT_EQ(hash_by(*vm_, lan_ip), hash_);
  }
  // By ports that the agent exposes.
  void expect_ways_in() {
    ASSERT_TRUE(eventually(20s, [this] { return reaches(*lan_, {host_ip, 8080}, "vm"); })) << log();
    EXPECT_TRUE(
        eventually(5s, [this] { return support::ask(*lan_, protocol::udp, {host_ip, 8080}, "hello") == "vm hello"; }));
    EXPECT_TRUE(eventually(10s, [this] { return hash_by(*lan_, host_ip) == hash_; }));
  }

  // After a kill the agent finds at the host's end what it had exposed, and withdraws it with the server.
  void expect_withdrawal_after_a_kill_of_the_agent() {
    agent_.kill9();
    EXPECT_TRUE(reaches(*lan_, {host_ip, 8080}, "vm"));
    start_agent();
    ASSERT_TRUE(eventually(20s, [this] { return std::filesystem::exists(at("status.sock")); }));
    EXPECT_TRUE(reaches(*lan_, {host_ip, 8080}, "vm"));
    server_.kill9();
    EXPECT_TRUE(eventually(20s, [this] { return support::refused(*lan_, {host_ip, 8080}); }));
    EXPECT_EQ(hash_by(*lan_, host_ip), hash_);
  }

  std::vector<support::child_process> servers_;
  support::child_process server_, end_, agent_;
  support::event_loop loop_;
  base::unique_fd space_;
  std::optional<os::child_program> vm_switch_;
  std::string hash_;
};

TEST_F(gvproxy_link, gvforwarder_is_carried_by_host_switch) {
  const char* program = std::getenv("GVFORWARDER");
  if (program == nullptr) GTEST_SKIP() << "GVFORWARDER does not name a gvforwarder";
  start();
  start_gvforwarder(program);
  start_agent();
  expect_ways_out();
  expect_ways_in();
  // It connects again every second, and makes its tap anew.
  start();
  expect_ways_out();
  expect_ways_in();
  expect_withdrawal_after_a_kill_of_the_agent();
}

TEST_F(gvproxy_link, vm_switch_is_carried_by_gvproxy) {
  const char* program = std::getenv("GVPROXY");
  if (program == nullptr) GTEST_SKIP() << "GVPROXY does not name a gvproxy";
  start_gvproxy(program);
  start_vm_switch();
  start_agent();
  expect_ways_out();
  expect_ways_in();
  expect_withdrawal_after_a_kill_of_the_agent();
}

}  // namespace
}  // namespace integration
