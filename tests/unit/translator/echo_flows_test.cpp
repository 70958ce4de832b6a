// The VM's pings of other hosts, by echo sockets of a namespace of the test's own; needs root.
#include "translator/echo_flows.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/netns.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

using netstack::icmp::unreachable;
using testing::HasSubstr;

constexpr netstack::ipv4::address target(std::uint8_t n) { return {0x0a09'0900U + n}; }  // 10.9.9.n, all of this host

class echo_flows_test : public plane_fixture {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("echo");
    host_->ip({"route", "add", "local", "10.9.9.0/24", "dev", "lo"});
  }
  template <class Work>
  void with_plane(Work work, const char* groups = "0 2147483647") {
    host_->run([&] {
      std::ofstream("/proc/sys/net/ipv4/ping_group_range") << groups;
      start();
      auto machine = join();
      work(machine);
      plane_.reset();
    });
  }
  static void ask(scripted_vm& machine, netstack::ipv4::address to, std::uint16_t id, std::uint16_t sequence,
                  const bytes& data = text("data"), bool dont_fragment = false) {
    machine.put_icmp(to, netstack::icmp::make_echo_request(id, sequence, data), dont_fragment);
  }
  static void expect_reply(scripted_vm& machine, netstack::ipv4::address from, std::uint16_t id, std::uint16_t sequence,
                           const bytes& data = text("data")) {
    const auto got = machine.next_icmp();
    ASSERT_TRUE(got) << "no reply";
    EXPECT_TRUE(got->what.is(netstack::icmp::type::echo_reply));
    EXPECT_EQ(got->from, from);
    EXPECT_EQ(got->what.id, id);
    EXPECT_EQ(got->what.sequence, sequence);
    EXPECT_EQ(netstack::to_bytes(got->what.payload), data);
  }
  [[nodiscard]] std::uint64_t flows() { return now(plane().count().echo_flows); }

  std::optional<support::netns> host_;
};

TEST_F(echo_flows_test, pings_of_every_size_are_answered_unchanged) {
  with_plane([&](scripted_vm& machine) {
    std::uint16_t sequence = 0;
    for (const std::size_t size : {0UL, 16UL, 56UL, 1'472UL, 8'000UL, 60'000UL}) {
      ask(machine, target(1), 0x1234, ++sequence, counting(size));
      expect_reply(machine, target(1), 0x1234, sequence, counting(size));
    }
    EXPECT_EQ(flows(), 1U);
  });
}

TEST_F(echo_flows_test, two_programs_that_ping_one_host_get_their_own_replies) {
  with_plane([&](scripted_vm& machine) {
    ask(machine, target(1), 1, 7, text("first"));
    expect_reply(machine, target(1), 1, 7, text("first"));
    ask(machine, target(1), 2, 7, text("second"));
    expect_reply(machine, target(1), 2, 7, text("second"));
    EXPECT_EQ(flows(), 2U);
  });
}

TEST_F(echo_flows_test, one_program_pings_many_hosts_over_one_socket) {
  with_plane([&](scripted_vm& machine) {
    for (std::uint8_t n = 1; n <= 100; ++n) {
      ask(machine, target(n), 1, n);
      expect_reply(machine, target(n), 1, n);
    }
    EXPECT_EQ(flows(), 1U);
  });
}

TEST_F(echo_flows_test, beyond_the_bound_the_socket_that_was_idle_for_longest_goes) {
  with_plane([&](scripted_vm& machine) {
    for (std::uint16_t id = 1; id <= echo_flows::most_flows + 20; ++id) {
      ask(machine, target(1), id, 1);
      expect_reply(machine, target(1), id, 1);
      ask(machine, target(1), 1, id);
      expect_reply(machine, target(1), 1, id);
      EXPECT_EQ(flows(), std::min<std::size_t>(id, echo_flows::most_flows));
    }
  });
}

TEST_F(echo_flows_test, an_idle_socket_goes_after_thirty_seconds) {
  with_plane([&](scripted_vm& machine) {
    ask(machine, target(1), 1, 1);
    expect_reply(machine, target(1), 1, 1);
    pass(29s);
    EXPECT_EQ(flows(), 1U);
    ask(machine, target(1), 1, 2);
    expect_reply(machine, target(1), 1, 2);
    pass(29s);
    EXPECT_EQ(flows(), 1U) << "the second request counts";
    pass(1s);
    EXPECT_EQ(flows(), 0U);
  });
}

TEST_F(echo_flows_test, where_the_host_allows_no_echo_sockets_requests_have_no_answer_and_one_line_says_so) {
  testing::internal::CaptureStderr();
  with_plane(
      [&](scripted_vm& machine) {
        for (std::uint16_t i = 0; i < 50; ++i) ask(machine, target(1), i, 1);
        EXPECT_FALSE(machine.next_icmp(a_moment));
        EXPECT_EQ(flows(), 0U);
        EXPECT_EQ(plane().statistics().echoes, 50U);
        ask(machine, gateway, 1, 1);
        expect_reply(machine, gateway, 1, 1);
      },
      "1 0");
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("echo requests are not forwarded reason=\"Permission denied\""));
  EXPECT_EQ(log.find("echo requests"), log.rfind("echo requests"));
}

TEST_F(echo_flows_test, what_the_hosts_routes_refuse_is_the_icmp_error_that_says_so) {
  host_->ip({"route", "add", "unreachable", "198.51.100.1/32"});
  with_plane([&](scripted_vm& machine) {
    const std::vector<std::pair<netstack::ipv4::address, unreachable>> each{{{0xc633'6401}, unreachable::host},
                                                                            {{0xc633'6403}, unreachable::network}};
    for (const auto& [address, code] : each) {
      ask(machine, address, 9, 3);
      const auto error = machine.next_icmp();
      ASSERT_TRUE(error);
      EXPECT_EQ(error->from, gateway);
      EXPECT_EQ(error->what.code, static_cast<std::uint8_t>(code));
      EXPECT_EQ(netstack::icmp::parse_quoted(error->what)->packet.destination, address);
    }
    ask(machine, target(1), 9, 4);
    expect_reply(machine, target(1), 9, 4);
  });
}

TEST_F(echo_flows_test, a_request_that_may_not_be_cut_learns_the_hosts_mtu) {
  host_->ip({"link", "set", "lo", "mtu", "1300"});
  with_plane([&](scripted_vm& machine) {
    ask(machine, target(1), 9, 1, counting(1'400), true);
    const auto error = machine.next_icmp();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->what.code, static_cast<std::uint8_t>(unreachable::fragmentation_needed));
    EXPECT_EQ(error->what.sequence, 1'300);
    ask(machine, target(1), 9, 2, counting(1'400));
    expect_reply(machine, target(1), 9, 2, counting(1'400));
    ask(machine, target(1), 9, 3, counting(1'000), true);
    expect_reply(machine, target(1), 9, 3, counting(1'000));
  });
}

}  // namespace
}  // namespace translator
