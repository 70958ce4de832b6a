// The data plane of vm-switch with a real tap interface, in a network namespace of the test's own, and the host's end
// of the link as a stream_link of the test; needs root.
#include "programs/vm_switch/frame_pump.hpp"

#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include "kernel/netlink/interface.hpp"
#include "netstack/ethernet.hpp"
#include "tests/support/eventually.hpp"
#include "tests/unit/link/frames.hpp"

namespace vm_switch {
namespace {

using namespace std::chrono_literals;
using links::bytes;
using links::pattern;

constexpr std::uint16_t test_type = 0x88b6;  // IEEE 802, local experimental 2: no stack answers it

bytes frame(std::size_t size, std::uint32_t seed) {
  auto made = pattern(size, seed);
  netstack::ethernet::write_header(made, net::mac_address::broadcast(), {{2, 0, 0, 0, 0, 1}},
                                   static_cast<netstack::ethernet::ethertype>(test_type));
  return made;
}

// Runs in a thread of its own namespace, where `eth0` is a tap with an MTU that fits any frame.
class namespace_with_tap {
 public:
  namespace_with_tap() : tap_(links::tap_device::open("eth0")) {
    if (!tap_) throw std::runtime_error(tap_.error().message());
    const auto done = netlink::change_interface("eth0", {.mtu = 65'521, .up = true});
    if (!done) throw std::runtime_error(done.error().message());
    packets_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(test_type)));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(test_type);
    at.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
    if (::bind(packets_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) throw std::runtime_error("bind");
    const int large = 16 << 20;
    ::setsockopt(packets_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
  }
  links::tap_device take_tap() { return std::move(*tap_); }

  // As a program of the namespace: sends a frame through the interface, and takes one that came through it.
  void send(const bytes& what) const {
    ASSERT_EQ(::send(packets_.get(), what.data(), what.size(), 0), std::ssize(what));
  }
  [[nodiscard]] bytes receive() const {
    pollfd ready{packets_.get(), POLLIN, 0};
    bytes got(70'000);
    if (::poll(&ready, 1, 5000) != 1) return {};
    got.resize(static_cast<std::size_t>(::recv(packets_.get(), got.data(), got.size(), 0)));
    return got;
  }

 private:
  base::result<links::tap_device> tap_;
  base::unique_fd packets_;
};

std::array<base::unique_fd, 2> make_link() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
  return {base::unique_fd(ends[0]), base::unique_fd(ends[1])};
}

// The next frames of the test's type on the host's end; others, as the kernel's own ARP and IPv6, are skipped.
std::vector<bytes> next_frames(links::stream_link& host, std::size_t least) {
  std::vector<bytes> got;
  support::eventually(10s, [&] {
    if (!host.read() || !host.flush()) return true;
    for (const auto& f : host.frames()) {
      const auto head = netstack::ethernet::parse(f.frame);
      if (head && head->type == test_type) got.push_back(links::copy(f.frame));
    }
    return got.size() >= least;
  });
  return got;
}

void send_one(links::stream_link& host, const bytes& what) {
  const std::array<links::bytes_view, 1> parts{what};
  ASSERT_TRUE(host.send({}, parts));
  ASSERT_TRUE(host.flush());
}

class frame_pump_test : public testing::Test {
 protected:
  // Runs `work(namespace, pump)` on a thread in a new namespace.
  template <class Work>
  void with_pump(Work work) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    bool made = false;
    std::thread([&] {
      made = ::unshare(CLONE_NEWNET) == 0;
      if (!made) return;
      namespace_with_tap inside;
      frame_pump pump(
          inside.take_tap(),
          [this](const std::string& why) {
            const std::lock_guard lock(lock_);
            lost_.push_back(why);
          },
          [this](const std::string& why) {
            const std::lock_guard lock(lock_);
            tap_failures_.push_back(why);
          });
      work(inside, pump);
    }).join();
    if (!made) GTEST_SKIP() << "no network namespaces";
    EXPECT_LE(tap_failures_.size(), failures_expected_);
  }
  [[nodiscard]] std::size_t tap_failures() {
    const std::lock_guard lock(lock_);
    return tap_failures_.size();
  }
  std::size_t failures_expected_ = 0;
  [[nodiscard]] std::size_t losses() {
    const std::lock_guard lock(lock_);
    return lost_.size();
  }

 private:
  std::mutex lock_;
  std::vector<std::string> lost_, tap_failures_;
};

TEST_F(frame_pump_test, frames_of_all_sizes_cross_both_ways) {
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), false);
    links::stream_link host(std::move(ends[1]), {});
    for (const std::size_t size : {60UL, 61UL, 1514UL, 9000UL, 65'535UL}) {
      inside.send(frame(size, 1));
      EXPECT_EQ(next_frames(host, 1), std::vector<bytes>{frame(size, 1)});
      send_one(host, frame(size, 2));
      EXPECT_EQ(inside.receive(), frame(size, 2));
    }
  });
}

TEST_F(frame_pump_test, with_offload_at_both_ends_frames_cross_as_well) {
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), true);
    links::stream_link host(std::move(ends[1]), {.offload = links::offload_role::host});
    ASSERT_TRUE(support::eventually(5s, [&] { return host.read() && host.flush() && host.takes_offload(); }));
    for (const std::size_t size : {60UL, 1514UL, 65'535UL}) {
      inside.send(frame(size, 1));
      EXPECT_EQ(next_frames(host, 1), std::vector<bytes>{frame(size, 1)});
      send_one(host, frame(size, 2));
      EXPECT_EQ(inside.receive(), frame(size, 2));
    }
  });
}

TEST_F(frame_pump_test, after_a_lost_link_the_same_interface_continues_with_the_next) {
  with_pump([this](namespace_with_tap& inside, frame_pump& pump) {
    const auto index = ::if_nametoindex("eth0");
    for (const bool offload : {false, true, false}) {
      auto ends = make_link();
      pump.attach(std::move(ends[0]), offload);
      const auto losses_before = losses();
      {
        links::stream_link host(std::move(ends[1]),
                                {.offload = offload ? links::offload_role::host : links::offload_role::none});
        if (offload)
          ASSERT_TRUE(support::eventually(5s, [&] { return host.read() && host.flush() && host.takes_offload(); }));
        inside.send(frame(100, 1));
        EXPECT_EQ(next_frames(host, 1), std::vector<bytes>{frame(100, 1)});
        EXPECT_TRUE(pump.has_link());
      }
      EXPECT_TRUE(support::eventually(5s, [&] { return losses() == losses_before + 1; }));
      EXPECT_FALSE(pump.has_link());
      inside.send(frame(100, 7));  // of another time: thrown away with the next link
      EXPECT_EQ(::if_nametoindex("eth0"), index);
    }
    EXPECT_GE(pump.counters().out_of_date, 2U);
  });
}

TEST_F(frame_pump_test, an_invalid_length_ends_the_link_and_not_the_pump) {
  with_pump([this](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), true);
    {
      links::stream_link host(std::move(ends[1]), {.offload = links::offload_role::host});
      ASSERT_TRUE(support::eventually(5s, [&] { return host.read() && host.flush() && host.takes_offload(); }));
      ::send(host.fd(), "\xff\xff\xff\xff", 4, MSG_NOSIGNAL);
      EXPECT_TRUE(support::eventually(5s, [&] { return losses() == 1; }));
    }
    auto next = make_link();
    pump.attach(std::move(next[0]), false);
    links::stream_link host(std::move(next[1]), {});
    inside.send(frame(100, 1));
    EXPECT_EQ(next_frames(host, 1), std::vector<bytes>{frame(100, 1)});
  });
}

// A link with 4 KB of send buffer, frames of 60 to 65,535 bytes, a host that reads a little at a time: every frame that
// the tap's queue held arrives unharmed and in order.
TEST_F(frame_pump_test, a_tiny_send_buffer_harms_no_frame) {
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    base::unique_fd same(::dup(ends[0].get()));
    pump.attach(std::move(ends[0]), false);
    const int small = 4096;
    ::setsockopt(same.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    links::stream_link host(std::move(ends[1]), {.read_bytes = 1});
    const auto size_of = [](std::uint32_t i) { return 60 + (i * 2654435761U) % 65'476; };
    std::vector<bytes> got;
    for (std::uint32_t i = 0; i < 100; ++i) {
      inside.send(frame(size_of(i), i));
      if (i % 20 == 19)
        for (auto& f : next_frames(host, 20)) got.push_back(std::move(f));
    }
    ASSERT_EQ(got.size(), 100U);
    for (std::uint32_t i = 0; i < 100; ++i) ASSERT_EQ(got[i], frame(size_of(i), i)) << i;
    EXPECT_EQ(pump.counters().link.dropped, 0U);
  });
}

TEST_F(frame_pump_test, a_host_that_does_not_read_stops_the_tap_and_not_the_other_way) {
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), false);
    links::stream_link host(std::move(ends[1]), {});
    for (std::uint32_t i = 0; i < 3000; ++i) inside.send(frame(9000, i));
    send_one(host, frame(100, 1));
    EXPECT_EQ(inside.receive(), frame(100, 1));
    EXPECT_GE(next_frames(host, 500).size(), 500U) << "it goes on";
  });
}

TEST_F(frame_pump_test, a_second_link_takes_the_place_of_the_first_whose_peer_sees_its_end) {
  with_pump([this](namespace_with_tap& inside, frame_pump& pump) {
    auto first = make_link(), second = make_link();
    const base::unique_fd copy(::dup(first[0].get()));  // as network-setup has one
    pump.attach(std::move(first[0]), false);
    links::stream_link old_host(std::move(first[1]), {});
    pump.attach(std::move(second[0]), false);
    EXPECT_TRUE(support::eventually(5s, [&] {
      const auto got = old_host.read();
      return !got && got.error().code == std::errc::connection_aborted;
    }));
    links::stream_link host(std::move(second[1]), {});
    inside.send(frame(100, 1));
    EXPECT_EQ(next_frames(host, 1), std::vector<bytes>{frame(100, 1)});
    EXPECT_EQ(losses(), 0U) << "its owner has replaced it";
    EXPECT_TRUE(pump.has_link());
  });
}

TEST_F(frame_pump_test, an_interface_that_is_removed_is_reported_once) {
  failures_expected_ = 1;
  with_pump([this](namespace_with_tap&, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), false);
    ASSERT_TRUE(netlink::remove_interface("eth0"));
    EXPECT_TRUE(support::eventually(5s, [&] { return tap_failures() == 1; }));
    auto next = make_link();
    pump.attach(std::move(next[0]), true);
    EXPECT_EQ(tap_failures(), 1U);
  });
}

TEST_F(frame_pump_test, counters_are_those_of_all_links) {
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    for (std::uint64_t i = 1; i <= 3; ++i) {
      auto ends = make_link();
      pump.attach(std::move(ends[0]), false);
      links::stream_link host(std::move(ends[1]), {});
      send_one(host, frame(100, 1));
      EXPECT_EQ(inside.receive(), frame(100, 1));
      EXPECT_TRUE(support::eventually(5s, [&] { return pump.counters().link.frames_in == i; }));
      EXPECT_EQ(pump.counters().link.bytes_in, 100 * i);
    }
  });
}

TEST_F(frame_pump_test, a_frame_that_the_kernel_refuses_is_counted_and_the_next_one_taken) {
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), false);
    links::stream_link host(std::move(ends[1]), {});
    send_one(host, bytes{1, 2, 3});
    send_one(host, frame(100, 2));
    EXPECT_EQ(inside.receive(), frame(100, 2));
    EXPECT_EQ(pump.counters().refused, 1U);
  });
}

TEST_F(frame_pump_test, a_host_that_leaves_within_a_frame_is_a_lost_link) {
  with_pump([this](namespace_with_tap&, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), false);
    ASSERT_EQ(::send(ends[1].get(), "\xff\xff half", 7, MSG_NOSIGNAL), 7);
    ends[1].reset();
    EXPECT_TRUE(support::eventually(5s, [&] { return losses() == 1; }));
    EXPECT_FALSE(pump.has_link());
    EXPECT_EQ(pump.counters().link.frames_in, 0U);
  });
}

TEST_F(frame_pump_test, the_trace_has_a_line_for_each_frame_while_it_is_on) {
  testing::internal::CaptureStderr();
  with_pump([](namespace_with_tap& inside, frame_pump& pump) {
    auto ends = make_link();
    pump.attach(std::move(ends[0]), false);
    links::stream_link host(std::move(ends[1]), {});
    for (const bool on : {true, false}) {
      pump.trace(on);
      send_one(host, frame(on ? 101 : 102, 1));
      EXPECT_EQ(inside.receive(), frame(on ? 101 : 102, 1));
      inside.send(frame(on ? 103 : 104, 2));
      next_frames(host, 1);
    }
  });
  const auto log = testing::internal::GetCapturedStderr();
  for (const auto* seen : {"direction=in bytes=101", "direction=out bytes=103"})
    EXPECT_NE(log.find(seen), std::string::npos) << log;
  for (const auto* unseen : {"bytes=102", "bytes=104"}) EXPECT_EQ(log.find(unseen), std::string::npos) << log;
}

}  // namespace
}  // namespace vm_switch
