// The source beside real sockets of other processes, in a network namespace of its own, with this kernel's events and
// without.
#include "sources/host_sockets/listeners_source.hpp"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "sources/host_sockets/machine.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/sources/host_sockets/engine_socket.hpp"
#include "tests/unit/sources/host_sockets/other_process.hpp"

namespace host_sockets {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using ports_set = std::set<std::string>;

struct counting_feed : support::recording_feed {
  void publish(ports::source_id id, ports::snapshot now) override {
    ++count;
    for (const auto& b : now.bindings) ever.insert(to_string(raw_key(b)));
    support::recording_feed::publish(id, std::move(now));
  }
  int count = 0;
  ports_set ever;  // was published
};

struct place {
  support::netns where{"listeners"};
  support::inside in{where};
};

class listeners_source_test : public testing::TestWithParam<socket_events::event_mode> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    here_.emplace();
    start();
    ASSERT_TRUE(sees({}));
  }
  void TearDown() override { loop_.stop(); }
  void start() {
    loop_.stop();
    feed_ = {};
    source_.emplace(loop_.executor(),
                    listeners_options{.tracker = {.hold = 100ms, .udp_age = 100ms, .remark = 10ms},
                                      .owners = {.engines = {{.socket = api_, .programs = {"some-engine"}}},
                                                 .run = directory_.path()},
                                      .events = GetParam()});
    loop_.spawn(source_->run(feed_));
  }
  testing::AssertionResult refuses(const std::string& text) {
    const auto found = [&] {
      return feed_.last && std::ranges::any_of(feed_.last->refusals, [&](const ports::refusal& r) {
               return (r.what + ": " + r.why).contains(text);
             });
    };
    return loop_.run_until(found) ? testing::AssertionSuccess()
                                  : testing::AssertionFailure() << "not refused: " << text;
  }

  ports_set published() const {
    ports_set all;
    if (!feed_.last) return {"nothing was published yet"};
    for (const auto& b : feed_.last->bindings)
      if (b.served != ports::serving::reserved) all.insert(to_string(raw_key(b)));
    return all;
  }
  testing::AssertionResult sees(const ports_set& wanted) {
    if (loop_.run_until([&] { return published() == wanted; })) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << "published:";
    for (const auto& text : published()) failure << " " << text;
    return failure;
  }

  support::temp_dir directory_;
  const std::filesystem::path api_ = directory_ / "engine.sock";
  std::optional<place> here_;
  support::event_loop loop_;
  counting_feed feed_;
  std::optional<listeners_source> source_;
};
INSTANTIATE_TEST_SUITE_P(, listeners_source_test,
                         testing::Values(socket_events::event_mode::kernel, socket_events::event_mode::nothing),
                         [](const auto& about) {
                           return about.param == socket_events::event_mode::kernel ? "with_events" : "without_events";
                         });

TEST_P(listeners_source_test, every_kind_of_socket_comes_and_goes) {
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
    EXPECT_EQ(b.served, b.host_port == 84 ? ports::serving::ipv6_listener : ports::serving::host_listener)
        << b.host_port;
  server.kill9();
  EXPECT_TRUE(sees({}));
}

TEST_P(listeners_source_test, what_an_engine_listens_on_is_left_out) {
  other_process engine([this] {
    serve(api_);
    listen_on("tcp 0.0.0.0:80");
    listen_on("udp 0.0.0.0:500");
    fork_and([] { listen_on("tcp 0.0.0.0:8080"); });  // docker-proxy
  });
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
  EXPECT_TRUE(refuses("3 sockets: opened by a watched engine"));
  server.kill9();
  EXPECT_TRUE(sees({}));
  EXPECT_EQ(feed_.ever, ports_set{"tcp 0.0.0.0:81"});
}

// By descent and not by name: another engine is a program like any other, and so is a container of the watched one.
TEST_P(listeners_source_test, another_engines_listeners_and_a_containers_are_published) {
  other_process engine([this] {
    serve(api_);
    fork_and([] { fork_and([] { listen_on("tcp 0.0.0.0:82"); }); });
  });
  other_process second([] {
    ::prctl(PR_SET_NAME, "some-engine");
    listen_on("tcp 0.0.0.0:83");
    fork_and([] { listen_on("tcp 0.0.0.0:84"); });
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:82", "tcp 0.0.0.0:83", "tcp 0.0.0.0:84"}));
}

// Which one the watched engine is shows when it serves its socket; it may listen on TCP before.
TEST_P(listeners_source_test, an_engine_that_starts_is_not_published_meanwhile) {
  const auto start_serving = directory_ / "go";
  other_process engine([&] {
    ::prctl(PR_SET_NAME, "some-engine");
    listen_on("tcp 0.0.0.0:80");
    fork_and([] { ::prctl(PR_SET_NAME, "some-engine"), listen_on("tcp 0.0.0.0:82"); });
    std::thread([this, start_serving] {
      while (!std::filesystem::exists(start_serving))
        std::this_thread::sleep_for(5ms);  // NOLINT: what this engine does, not what the test waits for
      serve(api_);
    }).detach();
  });
  EXPECT_TRUE(refuses("0.0.0.0:80/tcp: opened just now by a process that may be an engine's"));
  EXPECT_EQ(feed_.ever, ports_set{});
  std::ofstream(start_serving) << "go";
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
  EXPECT_TRUE(refuses("2 sockets: opened by a watched engine"));
  EXPECT_EQ(feed_.ever, ports_set{"tcp 0.0.0.0:81"});
}

// Under a unit without CAP_SYS_PTRACE, /proc/<pid>/fd of a process with more rights cannot be read.
TEST_P(listeners_source_test, what_cannot_be_attributed_is_not_published_and_stays) {
  other_process before([] { listen_on("tcp 0.0.0.0:79"); });
  ASSERT_TRUE(sees({"tcp 0.0.0.0:79"}));
  without_ptrace rights;
  other_process engine([this] {
    serve(api_);
    listen_on("tcp 0.0.0.0:80");
  });
  ASSERT_TRUE(loop_.run_until([&] { return feed_.last && !feed_.last->doubt.empty(); }));
  EXPECT_THAT(feed_.last->doubt, testing::ContainsRegex("/proc/[0-9]+/fd: Permission denied"));
  EXPECT_TRUE(refuses("0.0.0.0:80/tcp: its process cannot be determined"));
  EXPECT_EQ(published(), ports_set{"tcp 0.0.0.0:79"});
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(refuses("0.0.0.0:81/tcp: its process cannot be determined"));
  rights.give_back();
  EXPECT_TRUE(sees({"tcp 0.0.0.0:79", "tcp 0.0.0.0:81"}));
  EXPECT_TRUE(loop_.run_until([&] { return feed_.last->doubt.empty(); }));
  EXPECT_EQ(feed_.ever, (ports_set{"tcp 0.0.0.0:79", "tcp 0.0.0.0:81"}));
}

TEST_P(listeners_source_test, what_no_process_holds_is_the_kernels) {
  try {
    here_->where.ip({"link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "7777", "dev", "lo"});
    here_->where.ip({"link", "set", "vx0", "up"});
  } catch (const std::runtime_error& e) {
    GTEST_SKIP() << e.what();
  }
  other_process server([] { listen_on("udp 0.0.0.0:500"); });
  EXPECT_TRUE(sees({"udp 0.0.0.0:500"}));
  // As far as every process can be read: some machines hide what their first process holds from root, too.
  EXPECT_TRUE(refuses("0.0.0.0:7777/udp: "));
  EXPECT_EQ(published(), ports_set{"udp 0.0.0.0:500"});
  here_->where.ip({"link", "del", "vx0"});
  other_process heir([] { listen_on("udp 0.0.0.0:7777"); });
  EXPECT_TRUE(sees({"udp 0.0.0.0:500", "udp 0.0.0.0:7777"}));
}

// A resolver takes another port for each question.
TEST_P(listeners_source_test, momentary_udp_sockets_are_not_published) {
  other_process resolver([] {
    if (::fork() != 0) return;
    for (int i = 0; i < 200; ++i) {
      const int fd = open_socket("udp 0.0.0.0:" + std::to_string(2'000 + i * 7));
      std::this_thread::sleep_for(5ms);  // NOLINT: what this program does, not what the test waits for
      ::close(fd);
    }
    listen_on("tcp 0.0.0.0:80");
  });
  other_process server([] { listen_on("udp 0.0.0.0:500"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "udp 0.0.0.0:500"}));
  EXPECT_EQ(feed_.ever, (ports_set{"tcp 0.0.0.0:80", "udp 0.0.0.0:500"}));
}

// nerdctl's, which lives as long as the container exists; after a restart of the agent, too.
TEST_P(listeners_source_test, a_port_reserver_is_no_server) {
  const auto note = [this](const char* name, pid_t pid) {
    std::filesystem::create_directories(directory_ / "nerdctl" / name);
    std::ofstream(directory_ / "nerdctl" / name / "port-reserver.pid") << pid;
  };
  other_process reserver([&] {
    ::prctl(PR_SET_NAME, "sleep");
    note("default/web", ::getpid());
    listen_on("tcp 0.0.0.0:8080");
    listen_on("udp 0.0.0.0:8080");
  });
  other_process late([] {  // its file comes a moment later
    ::prctl(PR_SET_NAME, "sleep");
    listen_on("tcp 0.0.0.0:8081");
  });
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
  note("k8s.io/web", late.pid());
  EXPECT_TRUE(refuses("3 sockets: held by nerdctl"));
  EXPECT_EQ(feed_.ever, ports_set{"tcp 0.0.0.0:81"});
  start();
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
  EXPECT_TRUE(refuses("3 sockets: held by nerdctl"));
  EXPECT_EQ(feed_.ever, ports_set{"tcp 0.0.0.0:81"});
}

// The reserver has gone without its file, and its number is another process's now.
TEST_P(listeners_source_test, a_reused_number_is_a_server) {
  other_process server([] { listen_on("tcp 0.0.0.0:80"); });
  const auto file = directory_ / "nerdctl/default/web/port-reserver.pid";
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << server.pid();
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - 1h);
  start();
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
}

TEST_P(listeners_source_test, listen_after_bind_and_without_it) {
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

TEST_P(listeners_source_test, a_listener_that_is_shared_goes_with_its_last_owner) {
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

TEST_P(listeners_source_test, reuse_port_groups_are_one_port) {
  other_process first([] { listen_on("tcp 0.0.0.0:80", false, true); });
  auto second = std::make_unique<other_process>([] { listen_on("tcp 0.0.0.0:80", false, true); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
  EXPECT_EQ(feed_.last->bindings.size(), 1U);
  second.reset();
  other_process marker([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 0.0.0.0:81"}));
}

TEST_P(listeners_source_test, own_sockets_are_not_published) {
  const base::unique_fd own(listen_on("tcp 0.0.0.0:80")), too(listen_on("udp 127.0.0.1:500"));
  other_process server([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:81"}));
}

TEST_P(listeners_source_test, a_listener_that_is_shut_down_listens_no_longer) {
  other_process server([] {
    listen_on("tcp 0.0.0.0:80");
    ::shutdown(listen_on("tcp 0.0.0.0:81"), SHUT_RDWR);
  });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80"}));
}

// Which ports are clients' may be changed at any time; the source sees it when it looks next.
TEST_P(listeners_source_test, the_range_of_clients_is_followed) {
  const auto set_range = [](const char* text) {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << text << std::flush;
  };
  other_process server([] { listen_on("udp 0.0.0.0:33000"); });
  set_range("40000 50000");
  other_process looked([] { listen_on("tcp 0.0.0.0:80"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "udp 0.0.0.0:33000"}));
  other_process second([] { listen_on("udp 0.0.0.0:34000"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "udp 0.0.0.0:33000", "udp 0.0.0.0:34000"})) << "published as well";
  set_range("32768 60999");
  other_process looked_again([] { listen_on("tcp 0.0.0.0:81"); });
  EXPECT_TRUE(sees({"tcp 0.0.0.0:80", "tcp 0.0.0.0:81"}));
}

TEST_P(listeners_source_test, what_cannot_be_read_stays) {
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
TEST_P(listeners_source_test, a_storm_costs_a_tenth_and_ends_right) {
  const auto used = processor_time();
  const auto begin = async::clock::now();
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
  const auto time = async::clock::now() - begin;
  EXPECT_LT(processor_time() - used, 100ms + time / 5) << "of " << time / 1ms << " ms";
  EXPECT_LT(feed_.count, time / 2ms);
}

}  // namespace
}  // namespace host_sockets
