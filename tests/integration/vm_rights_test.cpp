// The rights of network-setup, of vm-switch and of the VM's init, which all others in the VM inherit.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <unistd.h>

#include <filesystem>

#include "tests/integration/network_setup_lab.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/unit_rights.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;

std::uint64_t bit(unsigned capability) { return std::uint64_t{1} << capability; }

// host-switch is a socket that says nothing.
class vm_rights_test : public network_setup_lab {
 protected:
  void SetUp() override {
    network_setup_lab::SetUp();
    if (IsSkipped()) return;
    write_program("init", "exec sleep 60\n");
    write_program("bin/udhcpc", "exec sleep 60\n");
    host_ = support::child_process({.argv = {"socat", "UNIX-LISTEN:" + at("stream") + ",fork", "EXEC:sleep 60"}});
    ASSERT_TRUE(eventually(10s, [this] { return std::filesystem::exists(at("stream")); }));
  }
  void start(const std::vector<std::string>& service = {}) {
    start_setup(service, {"-connect", "unix://" + at("stream")});
  }
  void start_in_service() {
    service_ = support::child_process({.argv = {"sleep", "60"}, .net_namespace = engine_.path()});
    write_program("bin/systemctl", fmt::format("[ \"$4\" = engine.service ] && echo {}\n", service_.pid()));
    start({"-namespace-service", "engine.service"});
  }
  void start_without(unsigned capability) {
    rights_ = support::rights_of_unit("network-setup").without(capability);
    start_in_service();
  }
  [[nodiscard]] bool has_logged(std::string_view words) const {
    return eventually(10s, [&] { return log().contains(words); });
  }

  support::netns engine_{"engine"};
  support::child_process host_, service_;
};

TEST_F(vm_rights_test, init_has_all_rights_and_the_others_what_they_need) {
  start();
  ASSERT_TRUE(has_logged("vm-switch: ready version=")) << log();
  const auto init_rights = support::rights_of_threads(init()).front();
  EXPECT_EQ(init_rights.effective, support::rights_of_threads(::getpid()).front().effective);
  EXPECT_FALSE(init_rights.no_new_privileges);
  EXPECT_FALSE(init_rights.filtered);
  const auto unit = support::rights_of_unit("network-setup").capabilities;
  for (const auto& thread : support::rights_of_threads(setup_.pid())) {
    EXPECT_EQ(thread.permitted & ~unit, 0U);
    EXPECT_TRUE(thread.no_new_privileges);
    EXPECT_EQ(thread.filtered, support::programs_filter_calls());
  }
  ASSERT_TRUE(has_logged("vm-switch started pid=")) << log();
  const auto own = bit(CAP_NET_ADMIN) | bit(CAP_NET_RAW) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_DAC_OVERRIDE);
  const auto threads = support::rights_of_threads(switch_pid());
  EXPECT_EQ(threads.front().effective, own);
  for (const auto& thread : threads) {
    EXPECT_EQ(thread.permitted & ~own, 0U);
    EXPECT_EQ(thread.filtered, support::programs_filter_calls());
  }
}

TEST_F(vm_rights_test, without_one_that_udhcpc_needs_vm_switch_says_so) {
  start_without(CAP_NET_RAW);
  EXPECT_TRUE(has_logged("vm-switch: runs without CAP_NET_RAW (udhcpc gets no address)")) << log();
}

TEST_F(vm_rights_test, without_the_right_to_processes_the_service_s_namespace_is_not_found) {
  start_without(CAP_SYS_PTRACE);
  EXPECT_TRUE(has_logged("no process service=engine.service, retrying reason=\"network namespace of process")) << log();
  EXPECT_THAT(log(), testing::HasSubstr("runs without CAP_SYS_PTRACE (the namespace of a service is not found)"));
}

}  // namespace
}  // namespace integration
