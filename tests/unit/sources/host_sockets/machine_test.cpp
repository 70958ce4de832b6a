#include "sources/host_sockets/machine.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "tests/support/eventually.hpp"
#include "tests/support/netns.hpp"

namespace host_sockets {
namespace {

using namespace std::chrono_literals;
using range = netlink::port_range;

TEST(machine, reads_the_range_as_the_kernel_writes_it) {
  EXPECT_EQ(parse_port_range("32768\t60999\n"), (range{32768, 60999}));
  EXPECT_EQ(parse_port_range("1\t65535"), (range{1, 65535}));
  EXPECT_EQ(parse_port_range("40000\t40000\n"), (range{40000, 40000}));
}

// No default would be right: a server would be taken for a client, or a client for a server.
TEST(machine, a_text_that_is_not_two_ports_in_order_is_an_error) {
  for (const auto* text : {"", "\n", "32768", "32768 60999", "60999\t32768\n", "32768\t65536\n", "-1\t60999\n",
                           "32768\t60999\t1\n", "\t60999", "32768\tx"}) {
    const auto parsed = parse_port_range(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message(), "/proc/sys/net/ipv4/ip_local_port_range is not a port range");
  }
}

TEST(machine, each_network_namespace_has_its_own_range) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("machine");
  const auto outside = ephemeral_ports().value();
  const auto inside = place.run([] {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "20000 20999";
    return ephemeral_ports().value();
  });
  EXPECT_EQ(inside, (range{20000, 20999}));
  EXPECT_EQ(ephemeral_ports().value(), outside);
}

TEST(machine, the_processor_time_grows_with_the_work_of_this_thread) {
  const auto before = processor_time();
  EXPECT_GT(before, 0ns);
  EXPECT_TRUE(support::eventually(10s, [&] { return processor_time() > before; }));
}

TEST(machine, the_processor_time_includes_that_of_children_that_have_ended) {
  const auto before = processor_time();
  const auto child = ::fork();
  if (child == 0) {
    timespec used{};
    while (used.tv_sec == 0 && used.tv_nsec < 100'000'000) ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_GE(processor_time() - before, 99ms);
}

}  // namespace
}  // namespace host_sockets
