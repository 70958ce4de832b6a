// The harness itself, without our programs: that what the other tests lean on does what it says and leaves nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/docker_engine.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/probe.hpp"
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

TEST_F(harness, a_child_ends_as_it_is_told) {
  const lab_directory directory;
  const auto log = directory.path() / "log";
  child_process stubborn({.argv = {"sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"}, .log = log});
  EXPECT_TRUE(eventually(5s, [&] { return read_text(log) == "deaf\n"; }));
  EXPECT_TRUE(stubborn.running());
  EXPECT_EQ(stubborn.stop(150ms), std::nullopt);
  EXPECT_FALSE(stubborn.running());
  EXPECT_EQ(child_process({.argv = {"sleep", "60"}}).stop(), 128 + 15);
  EXPECT_EQ(run_command({.argv = {"sh", "-c", "echo told; exit 3"}}).exit_code, 3);
  EXPECT_EQ(run_command({.argv = {"no-such-program"}}).exit_code, 127);
  EXPECT_EQ(run_or_throw({.argv = {"sh", "-c", "echo $A"}, .environment = {"A=b"}}), "b\n");
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

INSTANTIATE_TEST_SUITE_P(both, engine_harness, testing::Values(iptables_variant::nft, iptables_variant::legacy),
                         [](const auto& one) { return one.param == iptables_variant::nft ? "nft" : "legacy"; });

}  // namespace
