// The harness itself, without our programs: it works as documented and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/docker_engine.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fetch.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/neighbour.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/unique_name.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using net::protocol;

class harness : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST(unique_name, tells_leftovers_from_what_is_in_use) {
  EXPECT_FALSE(is_leftover(unique_name("x")));
  EXPECT_TRUE(is_leftover("guestagent-2147483000-1-x"));
  EXPECT_FALSE(is_leftover("guestagent-x"));
  EXPECT_FALSE(is_leftover("other-2147483000-1-x"));
}

TEST(eventually, a_check_that_looks_before_the_deadline_and_returns_after_it_is_not_the_last) {
  const auto begin = support::clock::now();
  const auto passed = [&] { return support::clock::now() - begin; };
  const auto slow = [&] {
    const bool right = passed() >= 20ms;
    while (passed() < 50ms) continue;
    return right;
  };
  EXPECT_TRUE(eventually(30ms, slow));
  EXPECT_FALSE(eventually(30ms, [] { return false; }));
}

TEST(fetch, says_why_there_is_no_file) {
  const temp_dir directory;
  const auto script = (directory / "script").string();
  std::ofstream(script) << "#!/bin/sh\necho 'no mirror' >&2\n[ -e \"$0.online\" ] && echo \"$0.file\"\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  EXPECT_THAT(fetch_failure(script), testing::HasSubstr("no mirror"));
  EXPECT_THROW((void)fetch(script), std::runtime_error);
  EXPECT_NE(fetch_failure(script + ".file"), "") << "no script";
  std::ofstream(script + ".online") << "";
  EXPECT_EQ(fetch_failure(script), "");
  EXPECT_EQ(fetch(script), script + ".file");
}

TEST(socket_peer, a_reset_is_neither_an_end_nor_the_lack_of_a_socket) {
  const auto listener = bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  const auto client = connected_socket(SOCK_STREAM, local_endpoint(listener.get()));
  accept_one(listener.get()).reset();
  EXPECT_FALSE(is_reset(client)) << "its peer has closed it";
  const auto other = connected_socket(SOCK_STREAM, local_endpoint(listener.get()));
  auto peer = accept_one(listener.get());
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  peer.reset();
  EXPECT_TRUE(is_reset(other));
  EXPECT_THROW(is_reset(base::unique_fd()), std::logic_error);
}

TEST_F(harness, a_namespace_is_separate_and_goes) {
  std::string path;
  {
    const netns one("one");
    path = one.path();
    const auto at = *net::parse_endpoint("127.0.0.1:7777");
    const auto listener = open_socket(one, protocol::tcp, at, true);
    EXPECT_TRUE(listener);
    EXPECT_THAT(listening_sockets(one), testing::ElementsAre(listening_socket{protocol::tcp, at}));
    EXPECT_FALSE(refused(one, at));
    EXPECT_TRUE(refused(one, *net::parse_endpoint("127.0.0.1:7778")));
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(harness, a_child_has_the_rights_of_a_unit_and_no_others) {
  const auto rights = support::parse_unit_rights(
      "[Service]\nCapabilityBoundingSet=CAP_NET_ADMIN CAP_DAC_OVERRIDE\nNoNewPrivileges=yes\n");
  const auto seen = support::run_command({.argv = {"cat", "/proc/self/status"}, .rights = rights});
  EXPECT_TRUE(seen.text.contains("CapEff:\t0000000000001002\n")) << seen.text;
  EXPECT_TRUE(seen.text.contains("CapBnd:\t0000000000001002\n")) << seen.text;
  EXPECT_TRUE(seen.text.contains("NoNewPrivs:\t1\n")) << seen.text;
  for (const auto* unit :
       {"rancher-desktop-guestagent", "host-switch", "wsl-proxy", "privileged-service", "vtunnel-host", "vtunnel-peer"})
    EXPECT_TRUE(support::rights_of_unit(unit).no_new_privileges) << unit;
  EXPECT_THROW(static_cast<void>(support::rights_of_unit("nothing")), std::runtime_error);
  EXPECT_FALSE(rights.without(CAP_NET_ADMIN).has(CAP_NET_ADMIN));
  EXPECT_THROW(static_cast<void>(rights.without(CAP_SYS_BOOT)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(support::parse_unit_rights("CapabilityBoundingSet=CAP_NONE")), std::runtime_error);
  EXPECT_THROW(static_cast<void>(support::parse_unit_rights("[Service]\n")), std::runtime_error);
}

TEST_F(harness, a_child_ends_as_it_is_told) {
  const lab_directory directory;
  const auto log = directory.path() / "log";
  child_process stubborn({.argv = {"sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"}, .log = log});
  EXPECT_TRUE(eventually(5s, [&] { return read_text(log) == "deaf\n"; }));
  EXPECT_TRUE(stubborn.running());
  EXPECT_EQ(stubborn.stop(150ms), std::nullopt);
  EXPECT_FALSE(stubborn.running());
  EXPECT_EQ(child_process({.argv = {"sleep", "60"}}).stop(), 128 + 15);
  EXPECT_EQ(run_command({.argv = {"sh", "-c", "echo done; exit 3"}}).exit_code, 3);
  EXPECT_EQ(run_command({.argv = {"no-such-program"}}).exit_code, 127);
  EXPECT_EQ(run_or_throw({.argv = {"sh", "-c", "echo $A"}, .environment = {"A=b"}}), "b\n");
}

TEST_F(harness, a_user_without_rights_has_none) {
  const netns one("one");
  const place as_unprivileged(one, unprivileged);
  EXPECT_EQ(as_unprivileged.run([] { return ::geteuid(); }), unprivileged);
  EXPECT_EQ(::geteuid(), 0U) << "only the thread of the work is the other user";
  EXPECT_FALSE(open_socket(as_unprivileged, protocol::tcp, *net::parse_endpoint("127.0.0.1:22"), true));
  EXPECT_TRUE(open_socket(one, protocol::tcp, *net::parse_endpoint("127.0.0.1:22"), true));
  const auto status =
      run_or_throw({.argv = {"grep", "-E", "^(Uid|Gid|Groups|CapEff)", "/proc/self/status"}, .user = unprivileged});
  EXPECT_EQ(
      status,
      "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\nGroups:\t \nCapEff:\t0000000000000000\n");
}

// Linux' weak host model: an address of one interface answers on all of them, even without forwarding.
TEST_F(harness, a_neighbour_reaches_every_address_of_its_router) {
  const netns router("router"), vm("vm");
  connect({&router, "rd", "192.168.127.1/24"}, {&vm, "eth0", "192.168.127.2/24"});
  const neighbour lan(router, "lan", 1);
  const auto gateway = *net::parse_endpoint("192.168.127.1:80"), in_vm = *net::parse_endpoint("192.168.127.2:80");
  EXPECT_FALSE(refused(vm, *net::parse_endpoint("10.99.1.2:80"))) << "the VM has no route there";
  const auto listener = open_socket(router, protocol::tcp, gateway, true);
  EXPECT_TRUE(open_socket(lan, protocol::tcp, gateway, false));
  EXPECT_FALSE(refused(lan, in_vm)) << "nothing is forwarded";
}

TEST_F(harness, a_masqueraded_neighbour_is_seen_as_its_router) {
  const netns vm("vm"), host("host");
  connect({&host, "rd", "192.168.127.1/24"}, {&vm, "eth0", "192.168.127.2/24"});
  const neighbour container(vm, "container", 2);
  container.masquerade();
  const auto listener = open_socket(host, protocol::tcp, *net::parse_endpoint("192.168.127.1:80"), true);
  const auto client = open_socket(container, protocol::tcp, *net::parse_endpoint("192.168.127.1:80"), false);
  ASSERT_TRUE(client);
  net::socket_address from;
  ASSERT_TRUE(
      eventually(2s, [&] { return base::unique_fd(::accept(listener.get(), from.get(), &from.size)).get() >= 0; }));
  EXPECT_EQ(net::from_sockaddr(from)->ip, net::address::v4(192, 168, 127, 2));
}

class engine_harness : public harness, public testing::WithParamInterface<iptables_variant> {};

TEST_P(engine_harness, publishes_and_leaves_nothing) {
  const lab_directory directory;
  const netns rd("rd");
  docker_engine engine(rd, directory.path(), {.iptables = GetParam()});
  engine.start();
  const auto before = engine.rules();
  engine.run("web", {"-p", "8080:80", "-p", "5353:53/udp"}, {"tcp:80", "udp:53"});
  EXPECT_NE(engine.rules(), before);
  EXPECT_TRUE(eventually(2s, [&] { return http_get(rd, *net::parse_endpoint("127.0.0.1:8080"), "/") == "web\n"; }));
  EXPECT_EQ(ask(rd, protocol::udp, *net::parse_endpoint("127.0.0.1:5353"), "hello"), "web hello");
  engine.kill9();
  engine.start();
  engine.docker({"rm", "-f", "web"});
  EXPECT_EQ(engine.rules(), before);
}

// A frozen process cannot be killed, and the end of a sandbox waits for all of its processes.
TEST_F(harness, an_engine_ends_with_a_paused_container) {
  const lab_directory directory;
  const netns rd("rd");
  const auto began = support::clock::now();
  {
    docker_engine engine(rd, directory.path());
    engine.start();
    engine.run("web", {}, {"tcp:80"});
    engine.docker({"pause", "web"});
  }
  EXPECT_LT(support::clock::now() - began, 60s);
}

INSTANTIATE_TEST_SUITE_P(both, engine_harness, testing::Values(iptables_variant::nft, iptables_variant::legacy),
                         [](const auto& one) { return one.param == iptables_variant::nft ? "nft" : "legacy"; });

}  // namespace
