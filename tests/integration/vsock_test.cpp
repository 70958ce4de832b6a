// Programs over real virtual sockets (AF_VSOCK): inside a virtual machine, with both ends in it (context id 1). vtunnel
// and the privileged service have the rights of their units. guest/vtunnel and guest/both_ends run inside.
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/integration/guest_machine.hpp"
#include "tests/support/lab.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds boot_limit = 300s;  // 13 seconds of processor time at most for each boot
const std::filesystem::path files = GUESTAGENT_SOURCE_DIR "/tests/integration/guest";
const std::vector<std::string> virtual_sockets{"vsock", "vmw_vsock_virtio_transport_common", "vsock_loopback",
                                               "inet_diag", "tcp_diag"};

TEST(vsock, handshake_and_tunnels_in_a_virtual_machine) {
  if (const auto missing = guest_machine::missing(); !missing.empty()) GTEST_SKIP() << missing;
  guest_machine machine("vtunnel");
  for (const auto* file : {"vtunnel.yaml", "other.yaml"}) machine.add_file(files / file);
  for (const auto* program : {"vtunnel", "privileged-service"})
    machine.add_program(support::program_directory() / program);
  machine.add_program("/usr/bin/setpriv");
  for (const auto* unit : {"vtunnel-peer", "vtunnel-host", "privileged-service"}) machine.add_unit(unit);
  machine.add_modules(virtual_sockets);
  machine.start();
  EXPECT_TRUE(machine.wait_for_end(boot_limit));
  for (const auto* what : {"handshake", "half-close", "other user", "message"}) EXPECT_TRUE(machine.said(what)) << what;
  EXPECT_THAT(machine.console(), testing::HasSubstr("GUEST: end"));
}

// The whole chain over the handshake, the agent in it, with this vm-switch.
void expect_both_ends(const std::filesystem::path& vm_switch, const std::vector<std::string>& results) {
  guest_machine machine("both_ends");
  for (const auto* file : {"lease", "engine"}) machine.add_file(files / file);
  for (const auto* program : {"host-switch", "network-setup", "rancher-desktop-guestagent"})
    machine.add_program(support::program_directory() / program);
  machine.add_program(vm_switch, "vm-switch");
  machine.add_modules(virtual_sockets);
  machine.add_modules({"udp_diag", "tun", "veth"});
  machine.start();
  EXPECT_TRUE(machine.wait_for_end(boot_limit));
  for (const auto& what : results) EXPECT_TRUE(machine.said(what)) << what;
  if (testing::Test::HasFailure()) std::fputs(machine.console().c_str(), stderr);
}

TEST(vsock, both_ends_of_the_virtual_network_meet_and_meet_again_after_each_kill) {
  if (const auto missing = guest_machine::missing(); !missing.empty()) GTEST_SKIP() << missing;
  expect_both_ends(support::program_directory() / "vm-switch",
                   {"handshake", "out", "in", "host-switch killed", "the same tap", "vm-switch killed",
                    "network-setup killed", "stopped"});
}

// Its tap does not outlive the connection.
TEST(vsock, the_original_vm_switch_is_carried_by_ours) {
  if (const auto missing = guest_machine::missing(); !missing.empty()) GTEST_SKIP() << missing;
  const char* original = std::getenv("VM_SWITCH");
  if (original == nullptr) GTEST_SKIP() << "VM_SWITCH does not name the original";
  expect_both_ends(original, {"handshake", "out", "in", "host-switch killed", "vm-switch killed", "stopped"});
}

}  // namespace
}  // namespace integration
