// -listen=unix://PATH: many peers at the same path; and -listen=fd://N.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "os/connect.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/programs/host_switch/link_source_fixture.hpp"
#include "translator/link_ports.hpp"

namespace host_switch {
namespace {

using namespace std::chrono_literals;

class listener_source_test : public link_source_fixture {
 protected:
  void SetUp() override { serve(links::link_kind::unix_stream); }

  [[nodiscard]] base::unique_fd peer(const std::string& says) {
    auto made = os::connect_now({path()});
    EXPECT_TRUE(made);
    if (!made) return {};
    support::send_all(made->get(), says);
    return std::move(*made);
  }
  [[nodiscard]] base::unique_fd vm(const std::string& prefix = {"\x3c\x00", 2}) {
    return peer(prefix + std::string(60, '\0'));
  }
  [[nodiscard]] bool is_closed(const base::unique_fd& fd) {
    return loop_.run_until([&] { return ended(fd); });
  }
  static bool ended(const base::unique_fd& fd) {
    char byte = 0;
    const auto got = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }
};

TEST_F(listener_source_test, peers_whose_request_does_not_end_delay_no_vm) {
  std::vector<base::unique_fd> halves;
  for (int i = 0; i < 20; ++i) halves.push_back(peer("POST /connect"));
  const auto began = async::clock::now();
  const auto first = vm();
  EXPECT_TRUE(has_links(1));
  EXPECT_LT(async::clock::now() - began, 1s) << "less than the limit of a single request";
  for (const auto& one : halves) EXPECT_FALSE(ended(one));
  loop_.pass_time(3s);
  for (const auto& one : halves) EXPECT_TRUE(is_closed(one));
  EXPECT_TRUE(has_links(1));
}

TEST_F(listener_source_test, the_oldest_newcomer_makes_room) {
  std::vector<base::unique_fd> halves;
  for (std::size_t i = 0; i < link_source::most_newcomers; ++i) halves.push_back(peer("POST /connect"));
  EXPECT_FALSE(ended(halves.front()));
  const auto next = peer("POST /connect HTTP/1.1\r\n");
  EXPECT_TRUE(is_closed(halves.front()));
  EXPECT_FALSE(ended(halves[1]));
  support::send_all(next.get(), "\r\n");
  EXPECT_TRUE(has_links(1)) << "the newest is served";
}

TEST_F(listener_source_test, a_link_beyond_the_bound_is_closed_at_once_and_room_is_used) {
  std::vector<base::unique_fd> vms;
  for (std::size_t i = 0; i < translator::link_ports::most_links; ++i) vms.push_back(vm());
  ASSERT_TRUE(has_links(translator::link_ports::most_links));
  const auto began = async::clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_closed(vm()));
  EXPECT_LT(async::clock::now() - began, 3s) << "ten refusals";
  vms.pop_back();
  ASSERT_TRUE(has_links(translator::link_ports::most_links - 1));
  const auto next = vm();
  EXPECT_TRUE(has_links(translator::link_ports::most_links));
}

// Peers that have sent nothing, or half a frame, hold no place for long.
class silent_peers_test : public listener_source_test, public testing::WithParamInterface<links::link_kind> {
 protected:
  void SetUp() override { serve(GetParam()); }
  [[nodiscard]] static std::string prefix() {
    return GetParam() == links::link_kind::qemu ? std::string("\0\0\0\x3c", 4) : std::string("\x3c\0", 2);
  }
};
INSTANTIATE_TEST_SUITE_P(both, silent_peers_test,
                         testing::Values(links::link_kind::unix_stream, links::link_kind::qemu));

TEST_P(silent_peers_test, make_room_for_a_vm) {
  using translator::link_ports;
  testing::internal::CaptureStderr();
  std::vector<base::unique_fd> silent;
  while (silent.size() < link_ports::most_links) silent.push_back(peer(""));
  ASSERT_TRUE(has_links(link_ports::most_links));
  loop_.pass_time(link_ports::time_to_speak);
  const auto given_up = [&] { return std::ranges::count_if(silent, ended); };
  const auto first = vm(prefix());
  EXPECT_TRUE(loop_.run_until([&] { return given_up() == 1; }));
  const auto second = vm(prefix());
  EXPECT_TRUE(loop_.run_until([&] { return given_up() == 2; }));
  EXPECT_TRUE(has_links(link_ports::most_links));
  EXPECT_TRUE(loop_.run_until([&] {
    return std::ranges::count_if(plane_.links(), [](const auto& one) { return one.counters.frames_in > 0; }) == 2;
  })) << "both are served";
  loop_.settle();
  EXPECT_EQ(given_up(), 2) << "no other";
  EXPECT_TRUE(testing::internal::GetCapturedStderr().contains(
      "reason=\"it has sent no frame, and another peer takes its place\""));
}

// ---- fd://N

TEST(descriptor_source, each_descriptor_is_another_inherited_socket) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const base::unique_fd one(pair[0]), other(pair[1]), file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto check = [](const std::vector<int>& numbers) {
    std::vector<links::link_url> all{{.kind = links::link_kind::unix_stream, .path = "/x"}};
    for (const int number : numbers)
      all.push_back({.kind = links::link_kind::descriptor, .path = {}, .number = static_cast<std::uint32_t>(number)});
    return link_source::check_descriptors(all).has_value();
  };
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(check({one.get(), other.get()}));
  EXPECT_FALSE(check({one.get(), one.get()}));
  EXPECT_FALSE(check({file.get()}));
  EXPECT_FALSE(check({1'000'000}));
}

}  // namespace
}  // namespace host_switch
