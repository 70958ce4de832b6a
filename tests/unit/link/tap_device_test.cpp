// Makes a tap interface in a network namespace of this process's own thread; needs root.
#include "link/tap_device.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

// Runs `work` on a thread in a fresh network namespace; false if the kernel denies one.
template <class Work>
bool in_new_namespace(Work work) {
  bool made = false;
  std::thread([&] {
    made = ::unshare(CLONE_NEWNET) == 0;
    if (made) work();
  }).join();
  return made;
}

TEST(tap_device, exists_as_long_as_it_is_open_and_only_once) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const bool ran = in_new_namespace([] {
    {
      auto made = tap_device::open("eth0");
      ASSERT_TRUE(made) << made.error().message();
      EXPECT_NE(::if_nametoindex("eth0"), 0U);
      EXPECT_EQ(tap_device::open("eth0").error().code, std::errc::file_exists);
      EXPECT_TRUE(made->set_offload(true));
      EXPECT_TRUE(made->set_offload(false));
    }
    EXPECT_EQ(::if_nametoindex("eth0"), 0U);
  });
  if (!ran) GTEST_SKIP() << "no network namespaces";
}

TEST(tap_device, refuses_an_interface_that_is_not_a_tap) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  in_new_namespace([] { EXPECT_EQ(tap_device::open("lo").error().code, std::errc::file_exists); });
}

TEST(tap_device, a_device_that_is_down_reports_it) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  in_new_namespace([] {
    auto made = tap_device::open("eth0");
    ASSERT_TRUE(made);
    EXPECT_FALSE(made->write({}, pattern(60, 1)));
    bytes room(70'000);
    const auto got = made->read(room);
    EXPECT_TRUE(!got || got->empty());
  });
}

TEST(tap_device, a_name_that_is_too_long_is_refused) {
  EXPECT_FALSE(tap_device::open("a_name_that_is_too_long"));
  EXPECT_FALSE(tap_device::open(""));
}

void bring_up(const char* name) {
  const base::unique_fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP;
  ASSERT_EQ(::ioctl(any.get(), SIOCSIFFLAGS, &request), 0);
}

TEST(tap_device, frames_wait_in_the_devices_queue_and_none_is_no_error) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  in_new_namespace([] {
    auto made = tap_device::open("eth0");
    ASSERT_TRUE(made);
    bring_up("eth0");
    bytes room(70'000);
    for (int i = 0; i < 1'000; ++i) {  // what the kernel sends on its own
      const auto got = made->read(room);
      ASSERT_TRUE(got);
      if (got->empty()) break;
      EXPECT_GE(got->size(), virtio_header_size + 14);
    }
    EXPECT_TRUE(made->read(room)->empty());
  });
}

TEST(tap_device, a_malformed_frame_is_refused_and_the_next_one_taken) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  in_new_namespace([] {
    auto made = tap_device::open("eth0");
    ASSERT_TRUE(made);
    bring_up("eth0");
    EXPECT_FALSE(made->write({}, pattern(1, 1))) << "shorter than a header";
    const bytes lie{1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    EXPECT_FALSE(made->write(lie, pattern(60, 1)));
    EXPECT_TRUE(made->write({}, pattern(60, 1)));
  });
}

TEST(tap_device, without_rights_or_descriptors_the_error_says_so) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  in_new_namespace([] {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto full = tap_device::open("eth0");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, std::errc::too_many_files_open);
    EXPECT_NE(full.error().message().find("/dev/net/tun"), std::string::npos);
  });
}

}  // namespace
}  // namespace links
