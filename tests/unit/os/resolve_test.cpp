#include "os/resolve.hpp"

#include <gmock/gmock.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <fstream>
#include <functional>
#include <future>

#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/name_server.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

using message = support::name_server::message;
using answer = base::result<std::vector<net::endpoint>>;

TEST(resolve, numeric_addresses_are_themselves) {
  support::event_loop loop;
  EXPECT_THAT(loop.run(resolve("127.0.0.1", 80)).value(), ElementsAre(*net::parse_endpoint("127.0.0.1:80")));
  EXPECT_THAT(loop.run(resolve("::1", 8080)).value(), ElementsAre(*net::parse_endpoint("[::1]:8080")));
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
  EXPECT_THAT(none.error().message(), StartsWith("resolve no..name: "));
}

bool is_for_ipv4(const message& asked) { return asked[asked.size() - 3] == 1; }

// The answer to a question for an IPv4 address; there is no IPv6 one.
std::optional<message> with_address(message asked, std::uint8_t last) {
  asked[2] = 0x81;
  asked[3] = 0x80;
  if (!is_for_ipv4(asked)) return asked;
  asked[7] = 1;
  const message record{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, last};
  asked.insert(asked.end(), record.begin(), record.end());
  return asked;
}
// The same for IPv6: 2001:db8:: and `last`.
message with_v6_address(message asked, std::uint8_t last) {
  asked[2] = 0x81;
  asked[3] = 0x80;
  asked[7] = 1;
  const message record{0xc0, 12,   0, 28, 0, 1, 0, 0, 0, 60, 0, 16, 0x20, 0x01,
                       0x0d, 0xb8, 0, 0,  0, 0, 0, 0, 0, 0,  0, 0,  0,    last};
  asked.insert(asked.end(), record.begin(), record.end());
  return asked;
}
std::optional<message> with_no_such_name(message asked) {
  asked[2] = 0x81;
  asked[3] = 0x83;
  return asked;
}
std::optional<message> silent(const message&) { return std::nullopt; }

// A thread's own network and mounts, with a hosts file and a resolv.conf of the test's.
class world {
 public:
  // Runs `work` in a thread inside. False: not possible here.
  bool run(const std::function<void(world&)>& work) {
    return std::async(std::launch::async,
                      [&] {
                        if (!enter()) return false;
                        work(*this);
                        return true;
                      })
        .get();
  }
  void write_hosts(const std::string& text) const { std::ofstream(hosts_) << text; }
  void write_servers(const std::string& text) const { std::ofstream(servers_) << text; }
  // The result of a look-up, while the servers serve.
  answer look_up(const std::string& name, std::vector<support::name_server*> servers = {}) {
    const auto got = std::make_shared<std::optional<answer>>();
    loop_.spawn(keep(name, got));
    loop_.run_until([&] {
      for (auto* server : servers) server->serve();
      return got->has_value();
    });
    return got->value_or(base::fail("no result"));
  }
  support::event_loop& loop() { return loop_; }

 private:
  static async::task<> keep(std::string name, std::shared_ptr<std::optional<answer>> into) {
    *into = co_await resolve(std::move(name), 80);
  }

  bool enter() const {
    write_hosts("");
    write_servers("");
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return false;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    if (::mount(hosts_.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) return false;
    if (::mount(servers_.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) return false;
    const auto control = support::make_socket(SOCK_DGRAM, net::address::loopback_v4());
    ifreq up{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
    up.ifr_flags = IFF_UP | IFF_RUNNING;
    return ::ioctl(control.get(), SIOCSIFFLAGS, &up) == 0;
  }

  support::temp_dir directory_;
  std::string hosts_ = (directory_ / "hosts").string(), servers_ = (directory_ / "resolv.conf").string();
  support::event_loop loop_;
};

constexpr auto first = net::address::v4(127, 0, 0, 1), second = net::address::v4(127, 0, 0, 2);
constexpr auto not_possible = "needs root, for mounts and a network of its own";

TEST(resolve, the_hosts_file_comes_first_and_each_change_counts) {
  world here;
  const bool ran = here.run([](world& inside) {
    support::name_server server(first, [](const message& q) { return with_address(q, 7); });
    inside.write_servers("nameserver 127.0.0.1\n");
    inside.write_hosts("10.1.2.3 gateway.test gw\n");
    EXPECT_THAT(inside.look_up("gateway.test", {&server}).value(), ElementsAre(*net::parse_endpoint("10.1.2.3:80")));
    EXPECT_THAT(inside.look_up("gw", {&server}).value(), ElementsAre(*net::parse_endpoint("10.1.2.3:80")));
    EXPECT_EQ(server.asked_by_udp, 0);
    inside.write_hosts("10.1.2.4 gateway.test\n");
    EXPECT_THAT(inside.look_up("gateway.test", {&server}).value(), ElementsAre(*net::parse_endpoint("10.1.2.4:80")));
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

// c-ares would take them for empty ones, and ask this machine.
TEST(resolve, files_that_cannot_be_read_are_an_error) {
  world here;
  const bool ran = here.run([](world& inside) {
    const std::string large((4 << 20) + 1, '#');
    inside.write_servers("nameserver 127.0.0.1\n");
    inside.write_hosts(large);
    EXPECT_THAT(inside.look_up("x.test").error().message(), HasSubstr("/etc/hosts is larger than"));
    inside.write_hosts("10.1.2.3 x.test\n");
    inside.write_servers(large);
    EXPECT_THAT(inside.look_up("x.test").error().message(), HasSubstr("/etc/resolv.conf is larger than"));
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

TEST(resolve, name_servers_are_asked_and_a_change_of_them_counts) {
  world here;
  const bool ran = here.run([](world& inside) {
    support::name_server one(first, [](const message& q) { return with_address(q, 1); });
    support::name_server other(second, [](const message& q) { return with_address(q, 2); });
    inside.write_servers("nameserver 127.0.0.1\n");
    EXPECT_THAT(inside.look_up("x.test", {&one, &other}).value(), ElementsAre(*net::parse_endpoint("10.0.0.1:80")));
    inside.write_servers("nameserver 127.0.0.2\n");
    EXPECT_THAT(inside.look_up("x.test", {&one, &other}).value(), ElementsAre(*net::parse_endpoint("10.0.0.2:80")));
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

TEST(resolve, a_name_that_does_not_exist_and_a_server_without_a_route_are_errors_that_say_so) {
  world here;
  const bool ran = here.run([](world& inside) {
    support::name_server server(first, with_no_such_name);
    inside.write_servers("nameserver 127.0.0.1\n");
    EXPECT_THAT(inside.look_up("x.test", {&server}).error().message(),
                testing::AllOf(StartsWith("resolve x.test: "), HasSubstr("not found")));
    inside.write_servers("nameserver 10.9.9.9\n");
    EXPECT_THAT(inside.look_up("x.test", {&server}).error().message(),
                testing::AllOf(StartsWith("resolve x.test: "), HasSubstr("contact DNS servers")));
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

TEST(resolve, silent_name_servers_do_not_outlast_the_deadline) {
  world here;
  const bool ran = here.run([](world& inside) {
    support::name_server server(first, silent);
    inside.write_servers("nameserver 127.0.0.1\n");
    const auto before = async::clock::now();
    const auto failed = inside.loop().run(async::within(200ms, resolve("silent.test", 80))).error();
    EXPECT_LT(async::clock::now() - before, 5s);
    EXPECT_EQ(failed.code, std::errc::timed_out);
    server.serve();
    EXPECT_EQ(server.asked_by_udp, 1);
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

// A connection's deadline is five seconds; c-ares gives up after twice that.
TEST(resolve, a_server_that_answers_for_one_kind_of_address_alone_is_enough) {
  world here;
  const bool ran = here.run([](world& inside) {
    inside.write_servers("nameserver 127.0.0.1\n");
    const auto before = async::clock::now();
    {
      support::name_server server(first,
                                  [](const message& q) { return is_for_ipv4(q) ? with_address(q, 7) : silent(q); });
      EXPECT_THAT(inside.look_up("x.test", {&server}).value(), ElementsAre(*net::parse_endpoint("10.0.0.7:80")));
    }
    support::name_server server(
        first, [](const message& q) { return is_for_ipv4(q) ? silent(q) : std::optional(with_v6_address(q, 8)); });
    EXPECT_THAT(inside.look_up("x.test", {&server}).value(), ElementsAre(*net::parse_endpoint("[2001:db8::8]:80")));
    EXPECT_LT(async::clock::now() - before, 8s) << "two look-ups";
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

// A server that is slow for IPv4 and knows no IPv6 address still has its time.
TEST(resolve, a_kind_without_an_address_does_not_end_the_look_up) {
  world here;
  const bool ran = here.run([](world& inside) {
    inside.write_servers("nameserver 127.0.0.1\n");
    const auto patience = async::clock::now() + 600ms;
    support::name_server server(first, [patience](const message& q) {
      return is_for_ipv4(q) && async::clock::now() < patience ? silent(q) : with_address(q, 7);
    });
    EXPECT_THAT(inside.look_up("x.test", {&server}).value(), ElementsAre(*net::parse_endpoint("10.0.0.7:80")));
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

// A program that ends does not wait for its look-ups, and keeps nothing of them.
TEST(resolve, a_loop_that_ends_during_a_look_up_ends_it) {
  world here;
  const bool ran = here.run([](world& inside) {
    const support::name_server server(first, silent);
    inside.write_servers("nameserver 127.0.0.1\n");
    async::asio::io_context loop;
    async::asio::co_spawn(loop, resolve("silent.test", 80), [](const std::exception_ptr&, const answer&) {});
    loop.poll();
  });
  if (!ran) GTEST_SKIP() << not_possible;
}

}  // namespace
}  // namespace os
