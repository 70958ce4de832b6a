// Makes a tap interface in a network namespace of this process's own thread; needs root.
#include "link/tap_device.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

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

}  // namespace
}  // namespace links
