#include "os/resolve.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <future>

#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

TEST(resolve, numeric_addresses_are_themselves) {
  support::event_loop loop;
  EXPECT_THAT(loop.run(resolve("127.0.0.1", 80)).value(), testing::ElementsAre(*net::parse_endpoint("127.0.0.1:80")));
  EXPECT_THAT(loop.run(resolve("::1", 8080)).value(), testing::ElementsAre(*net::parse_endpoint("[::1]:8080")));
}

TEST(resolve, known_names_have_addresses) {
  support::event_loop loop;
  const auto found = loop.run(resolve("localhost", 81));
  ASSERT_TRUE(found) << found.error().message();
  for (const auto& at : *found) {
    EXPECT_TRUE(at.ip.is_loopback());
    EXPECT_EQ(at.port, 81);
  }
}

TEST(resolve, a_name_that_is_none_is_an_error_that_names_it) {
  support::event_loop loop;
  const auto none = loop.run(resolve("no..name", 80));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), testing::StartsWith("resolve no..name: "));
}

// Gives the thread its own network and mounts, with one name server that receives questions and never answers.
base::unique_fd join_a_world_with_a_silent_name_server(const support::temp_dir& directory) {
  const auto file = directory.path() / "resolv.conf";
  const base::unique_fd config(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  constexpr std::string_view text = "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n";
  if (::write(config.get(), text.data(), text.size()) < 0) return {};
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return {};
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return {};
  if (::mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) return {};
  const auto control = support::make_socket(SOCK_DGRAM, net::address::loopback_v4());
  ifreq up{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
  up.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(control.get(), SIOCSIFFLAGS, &up) != 0) return {};
  return support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 53});
}

TEST(resolve, silent_name_servers_do_not_outlast_the_deadline) {
  const support::temp_dir directory;
  std::optional<base::error> failed;
  async::clock::duration took{};
  bool asked = false;
  std::async(std::launch::async,
             [&] {  // a thread of its own
               const auto name_server = join_a_world_with_a_silent_name_server(directory);
               if (!name_server) return;
               const auto before = async::clock::now();
               {
                 support::event_loop loop;
                 failed = loop.run(async::within(200ms, resolve("silent.test", 80))).error();
               }
               took = async::clock::now() - before;
               char question = 0;
               asked = ::recv(name_server.get(), &question, 1, MSG_TRUNC | MSG_DONTWAIT) > 0;
             })
      .get();
  if (!failed) GTEST_SKIP() << "needs root, for mounts and a network of its own";
  EXPECT_TRUE(asked);
  EXPECT_EQ(failed->code, std::errc::timed_out);
  EXPECT_LT(took, 5s) << "the end of the io_context included";
}

}  // namespace
}  // namespace os
