// The source beside real sockets of other processes, in a network namespace of its own, with what this kernel tells and
// without.
#include "sources/listeners/listeners_source.hpp"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "sources/listeners/process_sockets.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/recording_feed.hpp"

namespace listeners {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using ports_set = std::set<std::string>;

// A socket of the calling process that stays open until it ends. "tcp 127.0.0.1:80"; port 0 leaves it unbound.
int open_socket(std::string_view text, bool v6_only = false, bool reuse_port = false) {
  const auto at = *net::parse_endpoint(text.substr(4));
  const int fd = ::socket(at.ip.is_v4() ? AF_INET : AF_INET6, text.starts_with("tcp") ? SOCK_STREAM : SOCK_DGRAM, 0);
  const int one = 1, only = v6_only ? 1 : 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (at.ip.is_v6()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  const auto address = net::to_sockaddr(at);
  if (at.port != 0 && ::bind(fd, address.get(), address.size) != 0) ::_exit(1);
  return fd;
}
int listen_on(std::string_view text, bool v6_only = false, bool reuse_port = false) {
  const int fd = open_socket(text, v6_only, reuse_port);
  if (text.starts_with("tcp") && ::listen(fd, 16) != 0) ::_exit(1);
  return fd;
}

// A child that does `work`, says that it is done, and then waits to be told its end.
class other_process {
 public:
  explicit other_process(const std::function<void()>& work) {
    int ready[2], end[2];
    if (::pipe(ready) != 0 || ::pipe(end) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      for (int fd = 3; fd < 256; ++fd)  // of what it inherits nothing is to be held open
        if (fd != end[0] && fd != ready[1]) ::close(fd);
      work();
      char byte = 0;
      if (::write(ready[1], "", 1) != 1 || ::read(end[0], &byte, 1) < 0) ::_exit(1);
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(end[0]);
    end_.reset(end[1]);
    ready_.reset(ready[0]);
    char byte = 0;
    if (::read(ready_.get(), &byte, 1) != 1) throw std::runtime_error("the child did not get so far");
  }
  ~other_process() {
    end();
    kill9();
  }
  // Tells the child, and what it forked, to end.
  void end() { end_.reset(); }
  void kill9() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  base::unique_fd ready_, end_;
};

struct counting_feed : support::recording_feed {
  void publish(ports::source_id id, ports::snapshot now) override {
    ++count;
    support::recording_feed::publish(id, std::move(now));
  }
  int count = 0;
};

struct place {
  support::netns where{"listeners"};
  support::inside in{where};
};

class ListenersSource : public testing::TestWithParam<socket_events::by> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    here_.emplace();
    source_.emplace(
        loop_.executor(),
        listeners_options{.tracker = {.hold = 100ms}, .engine_programs = {"some-engine"}, .events = GetParam()});
    loop_.spawn(source_->run(feed_));
    ASSERT_TRUE(sees({}));
  }
  void TearDown() override { loop_.stop(); }

  ports_set published() const {
    ports_set all;
    if (!feed_.last) return {"nothing was published yet"};
    for (const auto& b : feed_.last->bindings)
      if (b.served != ports::reach::nobody) all.insert(to_string(raw_key(b)));
    return all;
  }
  testing::AssertionResult sees(const ports_set& wanted) {
    if (loop_.run_until([&] { return published() == wanted; })) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << "published:";
    for (const auto& text : published()) failure << " " << text;
    return failure;
  }

  std::optional<place> here_;
  support::event_loop loop_;
  counting_feed feed_;
  std::optional<listeners_source> source_;
};
INSTANTIATE_TEST_SUITE_P(, ListenersSource, testing::Values(socket_events::by::kernel, socket_events::by::nothing),
                         [](const auto& about) {
                           return about.param == socket_events::by::kernel ? "told" : "untold";
                         });

TEST_P(ListenersSource, EveryKindOfSocketComesAndGoes) {
  other_process server([] {
    for (const auto* text :
         {"tcp 0.0.0.0:80", "tcp 127.0.0.1:81", "tcp [::]:82", "tcp [::1]:83", "udp 0.0.0.0:500", "udp [::1]:501"})
      listen_on(text);
    listen_on("tcp [::]:84", true);
    open_socket("tcp 0.0.0.0:85");  // bound, and not listening
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 127.0.0.1:81", "tcp [::]:82", "tcp [::1]:83", "tcp [::]:84",
                    "udp 0.0.0.0:500", "udp [::1]:501"}));
  for (const auto& b : feed_.last->bindings)
    EXPECT_EQ(b.served, b.host_port == 84 ? ports::reach::ipv6_only : ports::reach::direct) << b.host_port;
  server.kill9();
  EXPECT_TRUE(sees({}));
}

TEST_P(ListenersSource, WhatAnEngineListensOnIsLeftOut) {
  other_process engine([] {
    ::prctl(PR_SET_NAME, "some-engine");
    listen_on("tcp 0.0.0.0:80");
    listen_on("udp 0.0.0.0:500");
  });
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
  server.kill9();
  EXPECT_TRUE(sees({}));
}

TEST_P(ListenersSource, ListenAfterBindAndWithoutIt) {
  auto* const random = static_cast<std::uint16_t*>(
      ::mmap(nullptr, sizeof(std::uint16_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  other_process server([&] {
    const int bound = open_socket("tcp 0.0.0.0:80");
    std::this_thread::sleep_for(50ms);  // NOLINT: what this server does, not what the test waits for
    ::listen(bound, 16);
    const int unbound = open_socket("tcp 0.0.0.0:0");
    ::listen(unbound, 16);
    net::socket_address at;
    ::getsockname(unbound, at.get(), &at.size);
    *random = net::from_sockaddr(at)->port;
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 0.0.0.0:" + std::to_string(*random)}));
}

TEST_P(ListenersSource, AListenerThatIsSharedGoesWithItsLastOwner) {
  other_process parent([] {
    listen_on("tcp 0.0.0.0:80");
    if (::fork() == 0) ::prctl(PR_SET_NAME, "shares");  // goes on to wait for its end, as the parent does
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
  parent.kill9();
  other_process second([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 0.0.0.0:81"}));
  parent.end();
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
}

TEST_P(ListenersSource, ReusePortGroupsAreOnePort) {
  other_process first([] { listen_on("tcp 0.0.0.0:80", false, true); });
  auto second = std::make_unique<other_process>([] { listen_on("tcp 0.0.0.0:80", false, true); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
  EXPECT_EQ(feed_.last->bindings.size(), 1U);
  second.reset();
  other_process marker([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 0.0.0.0:81"}));
}

TEST_P(ListenersSource, OwnSocketsAreNotPublished) {
  const base::unique_fd own(listen_on("tcp 0.0.0.0:80")), too(listen_on("udp 127.0.0.1:500"));
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
}

TEST_P(ListenersSource, AListenerThatIsShutDownListensNoLonger) {
  other_process server([] {
    listen_on("tcp 0.0.0.0:80");
    ::shutdown(listen_on("tcp 0.0.0.0:81"), SHUT_RDWR);
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
}

// Which ports are clients' may be changed at any time; the source sees it when it looks next.
TEST_P(ListenersSource, TheRangeOfClientsIsFollowed) {
  const auto set_range = [](const char* text) {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << text << std::flush;
  };
  other_process server([] { listen_on("udp 0.0.0.0:33000"); });
  set_range("40000 50000");
  other_process looked([] { listen_on("tcp 0.0.0.0:80"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "udp 0.0.0.0:33000"}));
  other_process second([] { listen_on("udp 0.0.0.0:34000"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "udp 0.0.0.0:33000", "udp 0.0.0.0:34000"})) << "told of, too";
  set_range("32768 60999");
  other_process looked_again([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 0.0.0.0:81"}));
}

TEST_P(ListenersSource, WhatCannotBeReadStays) {
  other_process server([] { listen_on("tcp 0.0.0.0:80"); });
  ASSERT_TRUE(sees({"tcp 0.0.0.0:80"}));
  const auto epoch = feed_.last->epoch;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};  // no descriptor can be opened any more
  ::setrlimit(RLIMIT_NOFILE, &none);
  server.kill9();
  EXPECT_TRUE(loop_.run_until([&] { return feed_.trouble.has_value(); }));
  EXPECT_EQ(published(), ports_set{"tcp 0.0.0.0:80"});
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(sees({}));
  EXPECT_FALSE(feed_.trouble);
  EXPECT_EQ(feed_.last->epoch, epoch + 1);
}

// A thousand listeners a second, opened and closed, for two seconds.
TEST_P(ListenersSource, AStormCostsATenthAndEndsRight) {
  const auto used = processor_time();
  const auto begin = io::clock::now();
  other_process storm([] {
    if (::fork() != 0) return;
    for (int i = 0; i < 2'000; ++i) {
      const int fd = listen_on("tcp 127.0.0.1:" + std::to_string(20'000 + i));
      std::this_thread::sleep_for(900us);  // NOLINT: what this program does, not what the test waits for
      ::close(fd);
    }
    listen_on("tcp 0.0.0.0:80");
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
  const auto time = io::clock::now() - begin;
  EXPECT_LT(processor_time() - used, 100ms + time / 5) << "of " << time / 1ms << " ms";
  EXPECT_LT(feed_.count, time / 2ms);
}

}  // namespace
}  // namespace listeners
