#include "kernel/netlink/interface.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <optional>
#include <system_error>

#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"

namespace netlink {
namespace {

TEST(interface_watch, reports_a_change_of_any_interface) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("watched");
  support::event_loop loop;
  std::optional<interface_watch> watch;
  place.run([&] { watch.emplace(interface_watch::open(loop.executor()).value()); });
  bool changed = false;
  auto wait = [](interface_watch& on, bool& done) -> async::task<> {
    co_await on.changed();
    done = true;
  };
  loop.spawn(wait(*watch, changed));
  loop.settle();
  EXPECT_FALSE(changed);
  place.ip({"link", "add", "one", "type", "veth", "peer", "name", "other"});
  EXPECT_TRUE(loop.run_until([&] { return changed; }));
}

TEST(interface_watch, out_of_descriptors_it_is_an_error) {
  support::event_loop loop;
  std::error_code why;
  const bool ran = support::run_without({SYS_fcntl, 1, F_DUPFD_CLOEXEC, EMFILE}, [&] {
    const auto watch = interface_watch::open(loop.executor());
    if (!watch) why = watch.error().code;
  });
  if (!ran) GTEST_SKIP() << "no seccomp";
  EXPECT_EQ(why, std::errc::too_many_files_open);
}

}  // namespace
}  // namespace netlink
