// network-setup and vm-switch as programs, in namespaces: one stands for the VM's default namespace, network-setup
// makes the engine's, and a third one is the host, where a tap interface of the test is the gateway. The kernel's TCP
// is on both ends.
//
//   host  gw 192.168.127.1 ═ UNIX sockets, with the handshake ═ vm-switch ─ eth0 192.168.127.2  (engine's namespace)
//                                                                          veth-rd-ns 192.168.143.1
//   vm    veth-rd-wsl 192.168.143.2 ─ network-setup
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "base/text.hpp"
#include "kernel/netlink/interface.hpp"
#include "link/handshake/host_side.hpp"
#include "os/child_program.hpp"
#include "os/namespaces.hpp"
#include "programs/vm_switch/frame_pump.hpp"
#include "tests/integration/network_setup_lab.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/socket_peer.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;

const net::endpoint server{net::address::v4(192, 168, 127, 2), 4000};

// The host's end: the gateway as a tap interface, and the host's side of the handshake.
class fake_host {
 public:
  fake_host(const support::netns& where, const std::string& path)
      : point_({.kind = links::link_kind::handshake, .path = path}), side_(point_, true) {
    const support::inside there(where);
    auto tap = links::tap_device::open("gw");
    if (!tap) throw std::runtime_error(tap.error().message());
    pump_.emplace(std::move(*tap), [](const std::string&) {}, [](const std::string&) {});
    static_cast<void>(netlink::add_address("gw", net::address::v4(192, 168, 127, 1), 24));
    static_cast<void>(netlink::change_interface("gw", {.up = true}));
  }
  // Meets the VM, and carries its frames.
  [[nodiscard]] bool meet(std::chrono::milliseconds limit = 10s) {
    try {
      pump_->attach(loop_.run_for(side_.meet(), limit), false);
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }
  // The connection ends, as when host-switch is killed.
  void hang_up() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
    pump_->attach(base::unique_fd(ends[0]), false);
    ::close(ends[1]);
  }

 private:
  handshake::meeting_point point_;
  handshake::host_side side_;
  support::event_loop loop_;
  std::optional<vm_switch::frame_pump> pump_;
};

class vm_network_test : public network_setup_lab {
 protected:
  void SetUp() override {
    network_setup_lab::SetUp();
    if (IsSkipped()) return;
    host_space_.emplace("host");
    // What a DHCP client would do, and a server in the engine's namespace.
    write_program("bin/udhcpc",
                  fmt::format("trap '' USR1\necho \"udhcpc $*\" >>{}\nip address replace 192.168.127.2/24 dev eth0\n"
                              "exec sleep 1000\n",
                              at("dhcp")));
    write_program("init", fmt::format("exec {} tcp:4000\n", GUESTAGENT_ECHO_SERVER));
    host_.emplace(*host_space_, at("link"));
  }

  // Whether the engine's namespace answers the host over TCP.
  [[nodiscard]] bool works() const {
    return support::ask(*host_space_, net::protocol::tcp, server, "hello\n", 500ms).has_value();
  }
  [[nodiscard]] bool up(std::chrono::milliseconds limit = 10s) const {
    return eventually(limit, [this] { return works(); });
  }
  [[nodiscard]] unsigned tap_index() const {
    const auto space = os::net_namespace_of(init());
    unsigned index = 0;
    if (!space) return 0;
    static_cast<void>(os::in_net_namespace(space->get(), [&]() -> base::result<> {
      if (const auto found = netlink::find_interface("eth0")) index = found->index;
      return {};
    }));
    return index;
  }
  [[nodiscard]] unsigned veth_index() const {
    return vm_->run([] {
      const auto found = netlink::find_interface("veth-rd-wsl");
      return found ? found->index : 0;
    });
  }
  [[nodiscard]] bool works_by_veth() const {
    return support::ask(*vm_, net::protocol::tcp, {net::address::v4(192, 168, 143, 1), 4000}, "hello", 500ms)
        .has_value();
  }

  std::optional<support::netns> host_space_;
  std::optional<fake_host> host_;
};

TEST_F(vm_network_test, the_engine_s_namespace_is_reached_both_ways) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  EXPECT_TRUE(
      eventually(5s, [this] { return vm_->run([] { return netlink::find_interface("veth-rd-wsl").has_value(); }); }));
  const auto by_veth = support::ask(*vm_, net::protocol::tcp, {net::address::v4(192, 168, 143, 1), 4000}, "hello");
  EXPECT_TRUE(by_veth);
  EXPECT_THAT(support::read_text(at("dhcp")), testing::HasSubstr("udhcpc -f -i eth0"));
  EXPECT_EQ(std::filesystem::status(at("pid")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(setup_.stop(), 0);
  EXPECT_EQ(vm_->run([] { return netlink::find_interface("veth-rd-wsl").error().code; }), std::errc::no_such_device);
}

TEST_F(vm_network_test, after_the_host_s_return_the_same_tap_carries_traffic_within_two_seconds) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  const auto tap = tap_index();
  const auto process = switch_pid();
  ASSERT_NE(tap, 0U);
  for (int i = 0; i < 3; ++i) {
    host_->hang_up();
    EXPECT_FALSE(works());
    const auto back = std::chrono::steady_clock::now();
    ASSERT_TRUE(host_->meet()) << log();
    ASSERT_TRUE(up()) << log();
    EXPECT_LT(std::chrono::steady_clock::now() - back, 2s);
    EXPECT_EQ(tap_index(), tap);
    EXPECT_EQ(switch_pid(), process);
  }
}

TEST_F(vm_network_test, passes_on_the_flags_that_it_is_given) {
  start_setup({}, {"-debug=false", "-mtu", "1400", "-tap-mac-address", "5A:94:EF:E4:0C:DD"});
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  auto words = support::read_text(fmt::format("/proc/{}/cmdline", switch_pid()));
  std::ranges::replace(words, '\0', ' ');
  EXPECT_THAT(words, testing::HasSubstr(" -mtu 1400 "));
  EXPECT_THAT(words, testing::HasSubstr(" -tap-mac-address 5a:94:ef:e4:0c:dd "));
  EXPECT_THAT(words, testing::Not(testing::HasSubstr("-debug")));
  EXPECT_THAT(words, testing::Not(testing::HasSubstr("-tap-queue")));
}

TEST_F(vm_network_test, a_flag_that_vm_switch_would_refuse_ends_it_at_start) {
  for (const auto* wrong :
       {"-tap-mac-address=01:00:5e:00:00:01", "-subnet=fd00::/8", "-mtu=10", "-mtu=65521", "-tap-queue=0",
        "-tap-interface=", "-tap-interface=a/b", "-tap-interface=tap%d", "-tap-interface=lo"}) {
    start_setup({}, {wrong});
    EXPECT_EQ(setup_.wait(10s), 2) << wrong;
  }
}

// vm-switch is stopped, and does not take the next connection. It must not be started again while the program ends.
TEST_F(vm_network_test, ends_while_it_hands_over_a_connection) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  ::kill(switch_pid(), SIGSTOP);
  host_->hang_up();
  ASSERT_TRUE(host_->meet()) << log();
  EXPECT_EQ(setup_.stop(), 0) << log();
  const auto text = support::read_text(at("setup.log"));
  const std::string_view words = "vm-switch started";
  EXPECT_EQ(text.find(words), text.rfind(words)) << text;
  EXPECT_THAT(text, testing::HasSubstr("stopped"));
  EXPECT_EQ(veth_index(), 0U);
}

TEST_F(vm_network_test, a_killed_vm_switch_is_replaced) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  const auto before = switch_pid();
  ::kill(before, SIGKILL);
  ASSERT_TRUE(host_->meet()) << log();
  EXPECT_TRUE(up()) << log();
  EXPECT_TRUE(eventually(5s, [&] { return switch_pid() != before; })) << log();  // logged once it has run for a second
}

TEST_F(vm_network_test, a_killed_network_setup_finds_the_namespace_again) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  const auto before = init();
  setup_.kill9();
  // The lock of a namespace that is gone: one of another test would belong to a running network-setup.
  const auto stale = fmt::format("/run/network-setup-killed-{}.lock", ::getpid());
  std::ofstream(stale) << "";
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  EXPECT_TRUE(up()) << log();
  EXPECT_EQ(init(), before);
  EXPECT_FALSE(std::filesystem::exists(stale));
}

TEST_F(vm_network_test, a_second_network_setup_is_refused_and_changes_nothing) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  const auto pair = veth_index();
  ASSERT_NE(pair, 0U);
  struct stat place{};
  ASSERT_EQ(::stat(vm_->path().c_str(), &place), 0);
  const auto lock_of_place = fmt::format("/run/network-setup-{}.lock", place.st_ino);
  for (const auto& [pid_file, lock] : {std::pair(at("pid"), at("pid.lock")), std::pair(at("other"), lock_of_place)}) {
    auto argv = setup_command();
    argv.insert(argv.end(), {"-unshare-arg", at("init"), "-logfile", at("second.log"), "-pid-file", pid_file});
    const auto second = support::run_command({.argv = argv, .net_namespace = vm_->path()});
    EXPECT_EQ(second.exit_code, 1);
    EXPECT_THAT(second.text, testing::HasSubstr("another network-setup runs: it holds " + lock));
    EXPECT_EQ(veth_index(), pair);
  }
  EXPECT_TRUE(works_by_veth());
  EXPECT_EQ(setup_.stop(), 0);
  for (const auto& file : {at("pid.lock"), at("other.lock"), lock_of_place})
    EXPECT_FALSE(std::filesystem::exists(file)) << file;
}

TEST_F(vm_network_test, a_pair_of_interfaces_that_is_removed_is_made_again) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  ASSERT_TRUE(eventually(5s, [this] { return works_by_veth(); })) << log();
  vm_->ip({"link", "del", "veth-rd-wsl"});
  EXPECT_TRUE(eventually(5s, [this] { return works_by_veth(); })) << log();
  EXPECT_THAT(log(), testing::HasSubstr("another program removed the interfaces"));
  EXPECT_EQ(setup_.stop(), 0);
  EXPECT_EQ(veth_index(), 0U);
}

TEST_F(vm_network_test, an_init_that_cannot_be_executed_is_named_as_the_reason) {
  start_setup({}, {"-unshare-arg", at("no-such-init")});
  ASSERT_TRUE(host_->meet()) << log();
  EXPECT_EQ(setup_.wait(10s), 1) << log();
  EXPECT_THAT(log(), testing::HasSubstr("unshare, or the program of -unshare-arg, ended with 127"));
}

TEST_F(vm_network_test, a_user_without_rights_is_refused_at_start) {
  auto argv = setup_command();
  argv.insert(argv.end(), {"-unshare-arg", at("init"), "-logfile", ""});
  const auto refused =
      support::run_command({.argv = argv, .net_namespace = vm_->path(), .user = support::unprivileged});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.text, testing::HasSubstr("it needs CAP_NET_ADMIN and CAP_SYS_ADMIN"));
}

// It ends at once, again and again: the log has one line.
TEST_F(vm_network_test, a_vm_switch_that_does_not_run_is_logged_once) {
  for (const auto* program : {"/bin/false", "/no/such/vm-switch"}) {
    start_setup({}, {"-vm-switch-path", program});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(host_->meet()) << log();
    ASSERT_TRUE(eventually(5s, [this] { return log().contains("vm-switch does not run, retrying"); })) << log();
    EXPECT_EQ(setup_.stop(), 0);
    const auto text = support::read_text(at("setup.log"));
    for (const std::string_view words : {"vm-switch does not run", "vm-switch started"})
      EXPECT_EQ(text.find(words), text.rfind(words)) << text;
    std::filesystem::remove(at("setup.log"));
  }
}

// The least number of descriptors that it starts with is enough for it and vm-switch.
TEST_F(vm_network_test, works_with_64_descriptors) {
  const rlimit few{64, 64};
  start_setup();
  ASSERT_EQ(::prlimit(setup_.pid(), RLIMIT_NOFILE, &few, nullptr), 0);  // it meets no host before
  ASSERT_TRUE(host_->meet()) << log();
  EXPECT_TRUE(up()) << log();
}

TEST_F(vm_network_test, with_systemd_the_namespace_is_the_service_s) {
  const support::netns engine("engine");
  const support::child_process service({.argv = {GUESTAGENT_ECHO_SERVER, "tcp:4000"}, .net_namespace = engine.path()});
  write_program("bin/systemctl", fmt::format("[ \"$4\" = engine.service ] && echo {}\n", service.pid()));
  start_setup({"-namespace-service", "engine.service", "-unshare-arg", at("init")});
  ASSERT_TRUE(host_->meet()) << log();
  EXPECT_TRUE(up()) << log();
  EXPECT_TRUE(engine.run([] { return netlink::find_interface("eth0").has_value(); }));
  EXPECT_THAT(log(), testing::HasSubstr("-unshare-arg is ignored under systemd"));
  EXPECT_FALSE(std::filesystem::exists(at("pid"))) << "no init of its own";
  EXPECT_EQ(setup_.stop(), 0) << log();  // before the service ends
}

TEST_F(vm_network_test, ends_when_the_namespace_s_process_has_ended) {
  start_setup();
  ASSERT_TRUE(host_->meet()) << log();
  ASSERT_TRUE(up()) << log();
  end_init();
  EXPECT_EQ(setup_.wait(10s), 1) << log();
  EXPECT_EQ(vm_->run([] { return netlink::find_interface("veth-rd-wsl").error().code; }), std::errc::no_such_device);
}

// vm-switch alone, as the original network-setup starts it: with descriptor 3.
class vm_switch_alone_test : public vm_network_test {
 protected:
  void start_switch() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    host_end_.reset(ends[0]);
    const base::unique_fd vm_end(ends[1]);
    space_ = vm_->run([] { return *os::net_namespace_of(::gettid()); });
    auto started = os::child_program::start(
        loop_.executor(), {.argv = {support::program_directory() / "vm-switch", "-logfile", at("switch.log")},
                           .environment = path_variable(),
                           .descriptors = {{vm_end.get(), 3}},
                           .net_namespace = space_.get()});
    ASSERT_TRUE(started) << started.error().message();
    switch_.emplace(std::move(*started));
  }
  [[nodiscard]] std::optional<netlink::interface_state> tap() const {
    return vm_->run([]() -> std::optional<netlink::interface_state> {
      auto found = netlink::find_interface("eth0");
      return found ? std::optional(*found) : std::nullopt;
    });
  }
  void TearDown() override {
    switch_.reset();
    vm_network_test::TearDown();
  }

  support::event_loop loop_;
  base::unique_fd host_end_, space_;
  std::optional<os::child_program> switch_;
};

TEST_F(vm_switch_alone_test, ends_with_the_link_when_no_one_hands_it_another) {
  start_switch();
  ASSERT_TRUE(eventually(10s, [this] { return tap() && tap()->up; })) << log();
  EXPECT_EQ(tap()->mac.to_string(), "5a:94:ef:e4:0c:ee");
  host_end_.reset();
  EXPECT_EQ(loop_.run(switch_->ended()), 1);
  EXPECT_FALSE(tap());
}

TEST_F(vm_switch_alone_test, does_not_start_where_the_interface_exists) {
  vm_->ip({"link", "add", "eth0", "type", "veth", "peer", "name", "other"});
  start_switch();
  EXPECT_EQ(loop_.run(switch_->ended()), 1);
}

TEST_F(vm_switch_alone_test, puts_the_mac_address_back_and_asks_dhcp_anew) {
  start_switch();
  ASSERT_TRUE(eventually(10s, [this] { return tap() && tap()->up; })) << log();
  ASSERT_TRUE(eventually(10s, [this] { return !support::read_text(at("dhcp")).empty(); }));
  vm_->ip({"link", "set", "eth0", "address", "02:00:00:00:00:99"});
  EXPECT_TRUE(eventually(5s, [this] { return tap()->mac.to_string() == "5a:94:ef:e4:0c:ee"; })) << log();
  EXPECT_TRUE(eventually(5s, [this] { return std::ranges::count(support::read_text(at("dhcp")), '\n') == 2; }))
      << log();
}

TEST_F(vm_switch_alone_test, starts_the_dhcp_client_again_when_it_ends) {
  write_program("bin/udhcpc", fmt::format("echo run >>{}\n", at("dhcp")));
  start_switch();
  EXPECT_TRUE(eventually(10s, [this] { return std::ranges::count(support::read_text(at("dhcp")), '\n') >= 3; }))
      << log();
}

TEST_F(vm_switch_alone_test, sigusr1_switches_the_packet_trace) {
  start_switch();
  ASSERT_TRUE(
      eventually(10s, [this] { return support::read_text(at("switch.log")).find("ready") != std::string::npos; }));
  const auto says = [this](std::string_view what) {
    return support::read_text(at("switch.log")).find(what) != std::string::npos;
  };
  EXPECT_FALSE(says("direction="));
  switch_->send_signal(SIGUSR1);
  ASSERT_TRUE(eventually(5s, [&] { return says("packet trace on=true"); }));
  static_cast<void>(support::ask(*vm_, net::protocol::tcp, {net::address::v4(192, 168, 127, 9), 1}, "", 100ms));
  EXPECT_TRUE(eventually(5s, [&] { return says("direction=out"); }));
  switch_->send_signal(SIGUSR1);
  EXPECT_TRUE(eventually(5s, [&] { return says("packet trace on=false"); }));
}

}  // namespace
}  // namespace integration
