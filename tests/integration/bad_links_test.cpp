// Links that lose, double, damage, delay and reorder frames, with Linux's own TCP as the VM: every byte arrives once
// and in order. The impairments are those of tc-netem(8), made where the test carries the frames, so that they also
// work on a kernel without netem (guest_bad_links_test has netem itself).
#include <cerrno>
#include <ostream>
#include <string>
#include <thread>

#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;

struct bad_link_case {
  const char* name;
  impairment how;  // in both directions
  std::size_t bytes;

  friend std::ostream& operator<<(std::ostream& to, const bad_link_case& one) { return to << one.name; }
};

constexpr impairment a_bit_of_all{
    .loss = 0.001, .duplication = 0.005, .reordering = 0.02, .corruption = 0.0005, .delay = 300us, .jitter = 100us};

class bad_link : public virtual_network_lab {
 protected:
  void start_over(const impairment& how) {
    connect_vm({.toward_host = how, .toward_vm = how});
    // ARP has no checksum: a damaged answer would hold the VM up for a minute.
    vm_->ip({"neighbour", "add", "192.168.127.1", "lladdr", "5a:94:ef:e4:0c:dd", "dev", "eth0"});
    start_and_wait({"-port-forward=10.99.1.1:8080=192.168.127.2:8080"});  // a call of the API may take its time
  }
};

class each_bad_link : public bad_link, public testing::WithParamInterface<bad_link_case> {};

// The lossy one has fewer bytes: there Linux waits for time-outs.
INSTANTIATE_TEST_SUITE_P(, each_bad_link,
                         testing::Values(bad_link_case{"loss_of_one_in_a_thousand", {.loss = 0.001}, 100 * megabyte},
                                         bad_link_case{"loss_of_one_in_twenty", {.loss = 0.05}, 5 * megabyte},
                                         bad_link_case{
                                             "reordering", {.reordering = 0.05, .delay = 300us}, 100 * megabyte},
                                         bad_link_case{"duplication", {.duplication = 0.05}, 100 * megabyte},
                                         bad_link_case{"jitter", {.delay = 200us, .jitter = 1ms}, 20 * megabyte},
                                         bad_link_case{"corruption", {.corruption = 0.001}, 100 * megabyte},
                                         bad_link_case{"a_bit_of_all", a_bit_of_all, 20 * megabyte}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(each_bad_link, passes_all_bytes_both_ways) {
  start_over(GetParam().how);
  const auto both = connect_out();
  ASSERT_TRUE(both);
  expect_bytes_both_ways(both, GetParam().bytes);
  if (GetParam().how.corruption > 0) EXPECT_GT(metric("malformed"), 0U);
  EXPECT_TRUE(eventually(10s, [&] { return metric("host_connections") == 0; }));
}

TEST_F(bad_link, passes_all_bytes_of_an_exposed_port) {
  start_over(a_bit_of_all);
  const auto both = connect_exposed();
  ASSERT_TRUE(both);
  expect_bytes_both_ways(both, 20 * megabyte);
}

TEST_F(bad_link, bytes_come_back_after_a_half_close) {
  start_over(a_bit_of_all);
  const auto both = connect_out();
  ASSERT_TRUE(both);
  expect_bytes(both.client.get(), both.server.get(), 10 * megabyte);
  expect_bytes(both.server.get(), both.client.get(), 10 * megabyte);
}

// A reset may be lost, and is repeated for the next segment: so the other end sends on.
TEST_F(bad_link, resets_between_transfers_harm_no_other) {
  start_over(a_bit_of_all);
  for (int i = 0; i < 12; ++i) {
    auto both = connect_out();
    ASSERT_TRUE(both) << i;
    if (i % 3 == 0) {
      expect_bytes_both_ways(both, megabyte);
      continue;
    }
    auto& dies = i % 3 == 1 ? both.client : both.server;
    auto& stays = i % 3 == 1 ? both.server : both.client;
    std::jthread sender([&] {
      EXPECT_FALSE(send_stream(stays.get(), std::size_t{1} << 40U));
      EXPECT_TRUE(errno == ECONNRESET || errno == EPIPE) << errno;
    });
    EXPECT_TRUE(receive_part(dies.get(), megabyte, 0));
    reset(dies);
  }
  EXPECT_TRUE(eventually(10s, [&] { return metric("host_connections") == 0; }));
}

}  // namespace
}  // namespace integration
