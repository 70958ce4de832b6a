// A TCP connection of the VM and its socket of the host: each end learns what the other did.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <string>
#include <utility>

#include "tests/unit/translator/tcp_flows_fixture.hpp"

namespace translator {
namespace {

TEST_F(tcp_connection_test, bytes_pass_both_ways_and_an_orderly_end_leaves_nothing) {
  ASSERT_TRUE(c_.write_all(text("from the VM")));
  EXPECT_EQ(support::read_exactly(host_.get(), 11), "from the VM");
  support::send_all(host_.get(), "from the host");
  EXPECT_TRUE(c_.reads(13));
  EXPECT_EQ(c_.received, "from the host");
  c_.finish();
  EXPECT_EQ(support::read_all(host_.get()), "");
  ASSERT_EQ(::shutdown(host_.get(), SHUT_WR), 0);
  EXPECT_TRUE(c_.until([&] { return c_.ended; }));
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
}

TEST_F(tcp_connection_test, after_the_vms_half_close_the_host_still_sends) {
  ASSERT_TRUE(c_.write_all(text("question")));
  c_.finish();
  EXPECT_EQ(support::read_all(host_.get()), "question");
  pass(30s);
  const auto answer = letters(1'000'000);
  auto sent = std::async(std::launch::async, [&] {
    support::send_all(host_.get(), answer);
    ::shutdown(host_.get(), SHUT_WR);
  });
  EXPECT_TRUE(c_.until([&] { return c_.ended; }));
  sent.get();
  EXPECT_EQ(c_.received, answer);
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
}

TEST_F(tcp_connection_test, after_the_hosts_half_close_the_vm_still_sends) {
  support::send_all(host_.get(), "greeting");
  ASSERT_EQ(::shutdown(host_.get(), SHUT_WR), 0);
  ASSERT_TRUE(c_.until([&] { return c_.ended; }));
  EXPECT_EQ(c_.received, "greeting");
  pass(30s);
  const auto answer = letters(500'000);
  auto got = std::async(std::launch::async, [&] { return support::read_all(host_.get()); });
  EXPECT_TRUE(c_.write_all(as_bytes(answer)));
  c_.finish();
  EXPECT_EQ(got.get(), answer);
}

// The VM writes, and the kernel says only then that the peer has gone.
TEST_F(tcp_connection_test, a_write_that_fails_loses_nothing_that_the_host_has_sent) {
  support::send_all(host_.get(), "last words");
  ASSERT_TRUE(c_.reads(10));
  host_.reset();
  ASSERT_TRUE(c_.until([&] { return c_.ended; }));
  for (int i = 0; i < 20 && !c_.was_reset; ++i) {
    c_.write(text("more"));
    c_.absorb(a_moment);
  }
  EXPECT_TRUE(c_.was_reset);
  EXPECT_EQ(c_.received, "last words");
  EXPECT_TRUE(is_quiet());
}

TEST_F(tcp_connection_test, a_reset_of_the_vm_is_the_hosts_behind_its_bytes) {
  ASSERT_TRUE(c_.write_all(text("half a word")));
  EXPECT_EQ(support::read_exactly(host_.get(), 11), "half a word");
  c_.reset();
  EXPECT_TRUE(is_reset(host_));
  EXPECT_EQ(plane().statistics().resets_in, 1U);
  EXPECT_TRUE(is_quiet());
}

TEST_F(tcp_connection_test, a_vm_that_does_not_read_stops_the_host_and_gets_all_later) {
  set(host_, SO_SNDBUF, 64 << 10);
  c_.window = 0;
  c_.acknowledge();
  const auto chunk = letters(64 << 10);
  std::size_t sent = 0, idle = 0;
  while (idle < 20 && sent < (std::size_t{64} << 20U)) {
    const auto size = ::send(host_.get(), chunk.data() + sent % chunk.size(), chunk.size() - sent % chunk.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) sent += static_cast<std::size_t>(size);
    idle = size > 0 ? 0 : idle + 1;
    if (size < 0) c_.absorb(a_moment / 5);
  }
  EXPECT_LT(sent, std::size_t{32} << 20U) << "the kernel's buffers and one ring";
  EXPECT_LE(plane().statistics().tcp_memory, std::size_t{2} << 20U);
  c_.window = 65'535;
  c_.acknowledge();
  ASSERT_TRUE(c_.reads(sent));
  for (std::size_t at = 0; at < sent; at += chunk.size())
    ASSERT_EQ(c_.received.compare(at, chunk.size(), chunk, 0, std::min(chunk.size(), sent - at)), 0) << at;
}

TEST_F(tcp_connection_test, one_that_stands_still_delays_no_other) {
  vm_connection other(*machine_, 40'001, by_alias(server_));
  while (c_.write(counting(100'000)) > 0 || c_.until([&] { return c_.room() > 0; }, 200ms)) {
  }
  ASSERT_TRUE(other.connect());
  const auto its_host = accept_from(server_);
  ASSERT_TRUE(other.write_all(text("now")));
  EXPECT_EQ(support::read_exactly(its_host.get(), 3), "now");
}

// A real want: the kernel gives no more.
TEST_F(tcp_connection_test, without_descriptors_a_connection_is_refused_and_the_others_go_on) {
  vm_connection second(*machine_, 40'001, by_alias(server_)), third(*machine_, 40'002, by_alias(server_));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  second.syn();
  const bool refused = second.until([&] { return second.was_reset; });
  const bool goes_on = c_.write_all(text("on"));
  const auto read = support::read_exactly(host_.get(), 2);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(refused);
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(read, "on");
  EXPECT_EQ(now(plane().count().connects_refused), 1U);
  EXPECT_TRUE(third.connect());
}

TEST_F(tcp_connection_test, a_link_that_comes_back_within_the_grace_finds_its_connections) {
  machine_.reset();
  ASSERT_TRUE(soon([&] { return plane().links().empty(); }));
  pass(9s);
  auto second = join();
  pass(9s);
  support::send_all(host_.get(), "still there");
  EXPECT_TRUE(second.next([](const auto& p) {
    const auto s = netstack::tcp::parse(p);
    return s && s->destination_port == 40'000 && s->payload.size() == 11;
  }));
  EXPECT_EQ(now(plane().count().connections), 1U);
}

TEST_F(tcp_connection_test, without_a_link_for_the_grace_the_hosts_side_is_reset) {
  machine_.reset();
  ASSERT_TRUE(soon([&] { return plane().links().empty(); }));
  pass(9s);
  EXPECT_EQ(now(plane().count().connections), 1U);
  pass(2s);
  EXPECT_TRUE(is_reset(host_));
  EXPECT_EQ(now(plane().count().connections), 0U);
}

TEST_F(tcp_connection_test, the_end_of_the_data_plane_resets_the_hosts_side) {
  plane_.reset();
  EXPECT_TRUE(is_reset(host_));
}

}  // namespace
}  // namespace translator
