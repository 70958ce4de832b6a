// The programs of the chain are killed in every order while bytes flow, or stop for a while.
#include <signal.h>

#include <array>
#include <ostream>
#include <string>

#include "tests/integration/process_state.hpp"
#include "tests/integration/steady_traffic.hpp"
#include "tests/integration/vm_life_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;

enum class part : std::uint8_t { host_switch, vm_switch, network_setup, vm };
constexpr std::array parts{part::host_switch, part::vm_switch, part::network_setup, part::vm};

const char* name_of(part which) {
  switch (which) {
    case part::host_switch: return "host_switch";
    case part::vm_switch: return "vm_switch";
    case part::network_setup: return "network_setup";
    case part::vm: return "vm";
  }
  return "";
}

std::ostream& operator<<(std::ostream& to, part which) { return to << name_of(which); }

class vm_life : public vm_life_lab {
 protected:
  void SetUp() override {
    vm_life_lab::SetUp();
    if (IsSkipped()) return;
    start_host_switch();
    start_setup();
    ASSERT_TRUE(eventually(20s, [this] { return is_answered(served_port); }));
  }
  void kill9(part which) {
    if (which == part::host_switch) host_switch_.kill9();
    if (which == part::vm_switch) ::kill(switch_pid(), SIGKILL);
    if (which == part::network_setup) setup_.kill9();
    if (which == part::vm) kill_vm();
  }
  // The ends of connect_both_ways() in the VM.
  static std::vector<std::size_t> of_the_vm(const steady_traffic& bytes) {
    std::vector<std::size_t> all;
    const auto pairs = bytes.received().size() / 2;
    for (std::size_t i = 0; i < pairs; ++i) all.push_back(i % 2 == 0 ? i : pairs + i);
    return all;
  }
  // What a supervisor does; network-setup itself replaces vm-switch.
  void start_again(part which) {
    if (which == part::host_switch && !host_switch_.running()) start_host_switch();
    if ((which == part::network_setup || which == part::vm) && !setup_.running()) start_setup();
  }
};

class kill_9_of : public vm_life, public testing::WithParamInterface<part> {};
INSTANTIATE_TEST_SUITE_P(, kill_9_of, testing::ValuesIn(parts),
                         [](const auto& one) { return std::string(name_of(one.param)); });

// What was exposed is exposed again, and no connection hangs. A connection may go on where its two ends live.
TEST_P(kill_9_of, and_of_each_part_after_it_heals) {
  for (const auto second : parts) {
    const auto message = testing::Message() << GetParam() << ", then " << second;
    auto pairs = connect_both_ways(2);
    ASSERT_FALSE(pairs.empty()) << message;
    steady_traffic bytes(std::move(pairs));
    ASSERT_TRUE(eventually(10s, [&] { return bytes.goes_on(std::vector<std::size_t>(8)); })) << message;
    kill9(GetParam());
    kill9(second);
    if (GetParam() == part::vm || second == part::vm) bytes.abandon(of_the_vm(bytes));
    start_again(GetParam());
    start_again(second);
    EXPECT_TRUE(eventually(15s, [this] { return is_answered(served_port); })) << message;
    const auto before = bytes.received();
    EXPECT_TRUE(eventually(20s, [&] { return bytes.goes_on_or_has_ended(before); })) << message;
    EXPECT_TRUE(bytes.is_right()) << message;
  }
}

// The forwards that host-switch has from its flags answer first, then the agent has found it again.
TEST_F(vm_life, after_host_switch_s_return_traffic_flows_within_two_seconds) {
  for (int i = 0; i < 3; ++i) {
    host_switch_.kill9();
    EXPECT_FALSE(is_answered(static_port));
    const auto back = std::chrono::steady_clock::now();
    start_host_switch();
    EXPECT_TRUE(eventually(10s, [&] { return is_answered(static_port); }));
    EXPECT_LT(std::chrono::steady_clock::now() - back, 2s);
    EXPECT_TRUE(eventually(10s, [this] { return is_answered(served_port); }));
    EXPECT_LT(std::chrono::steady_clock::now() - back, 5s);
  }
}

// Sixty-four connections each way.
TEST_F(vm_life, a_vm_switch_that_was_stopped_goes_on_within_a_second) {
  auto pairs = connect_both_ways(64);
  ASSERT_FALSE(pairs.empty());
  steady_traffic bytes(std::move(pairs));
  const auto none = std::vector<std::size_t>(256);
  ASSERT_TRUE(eventually(10s, [&] { return bytes.goes_on(none); }));
  ::kill(switch_pid(), SIGSTOP);
  ASSERT_TRUE(eventually(
      20s, [&] { return !eventually(1s, [&, now = bytes.received()] { return now != bytes.received(); }); }));
  const auto cpu = cpu_time(host_switch_.pid());
  static_cast<void>(eventually(3s, [] { return false; }));
  EXPECT_LT(cpu_time(host_switch_.pid()) - cpu, 300ms);
  const auto before = bytes.received();
  ::kill(switch_pid(), SIGCONT);
  const auto again = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually(10s, [&] { return bytes.goes_on(before); }));
  EXPECT_LT(std::chrono::steady_clock::now() - again, is_sanitized(host_switch_.pid()) ? 4s : 1s);
  EXPECT_TRUE(bytes.finish(20s));
  EXPECT_TRUE(bytes.is_right());
}

}  // namespace
}  // namespace integration
