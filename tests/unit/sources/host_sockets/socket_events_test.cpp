// The kernel's events, and their sockets. A record is in the ring when the reported system call returns, so these tests
// do not wait.
#include "sources/host_sockets/socket_events.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "net/endpoint.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"

namespace host_sockets {
namespace {

base::unique_fd bind_to(const char* where, int type) {
  const auto at = *net::parse_endpoint(where);
  base::unique_fd fd(::socket(at.ip.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  const auto address = net::to_sockaddr(at);
  if (::bind(fd.get(), address.get(), address.size) != 0) throw std::runtime_error(where);
  return fd;
}

struct place {
  support::netns where{"events"};
  support::inside in{where};
};

class socket_events_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    here_.emplace();
    events_.emplace(loop_.executor(), netlink::port_range{32'768, 60'999});
    if (!events_->is_complete()) GTEST_SKIP() << "this kernel does not report all events";
    events_->forget();
  }
  bool notified() { return events_->forget(); }

  std::optional<place> here_;
  support::event_loop loop_;
  std::optional<socket_events> events_;
};

TEST_F(socket_events_test, tcp_by_listen_and_by_close) {
  for (const auto* at : {"0.0.0.0:80", "[::]:81", "127.0.0.1:0"}) {
    auto server = bind_to(at, SOCK_STREAM);
    EXPECT_FALSE(notified()) << "bound, and not listening: " << at;
    ::listen(server.get(), 1);
    EXPECT_TRUE(notified()) << at;
    ::shutdown(server.get(), SHUT_RDWR);
    EXPECT_TRUE(notified()) << "listens no longer: " << at;
    ::listen(server.get(), 1);
    EXPECT_TRUE(notified()) << "listens again: " << at;
    server.reset();
    EXPECT_TRUE(notified()) << "closed: " << at;
  }
}

TEST_F(socket_events_test, tcp_that_listened_before) {
  events_.reset();
  auto server = bind_to("0.0.0.0:80", SOCK_STREAM);
  ::listen(server.get(), 1);
  events_.emplace(loop_.executor(), netlink::port_range{32'768, 60'999});
  EXPECT_FALSE(notified());
  server.reset();
  EXPECT_TRUE(notified());
}

TEST_F(socket_events_test, connections_are_not_reported) {
  const auto server = bind_to("127.0.0.1:80", SOCK_STREAM);
  ::listen(server.get(), 1);
  EXPECT_TRUE(notified());
  const auto at = net::to_sockaddr(*net::parse_endpoint("127.0.0.1:80"));
  base::unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), at.get(), at.size), 0);
  base::unique_fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  client.reset();
  accepted.reset();
  EXPECT_FALSE(notified());
}

TEST_F(socket_events_test, udp_by_bind_outside_of_the_clients_ports) {
  const auto server = bind_to("0.0.0.0:500", SOCK_DGRAM);
  EXPECT_TRUE(notified());
  const auto other = bind_to("[::]:501", SOCK_DGRAM);
  EXPECT_TRUE(notified());
  const auto client = bind_to("0.0.0.0:0", SOCK_DGRAM), high = bind_to("0.0.0.0:40000", SOCK_DGRAM);
  EXPECT_FALSE(notified());
}

TEST_F(socket_events_test, other_network_namespaces_are_not_reported) {
  const support::netns elsewhere("elsewhere");
  elsewhere.run([] {
    auto server = bind_to("0.0.0.0:80", SOCK_STREAM);
    ::listen(server.get(), 1);
    ::shutdown(server.get(), SHUT_RDWR);
    ::listen(server.get(), 1);
    server.reset();
    bind_to("0.0.0.0:500", SOCK_DGRAM);
    bind_to("[::]:500", SOCK_DGRAM);
  });
  EXPECT_FALSE(notified());
  const auto own = bind_to("0.0.0.0:500", SOCK_DGRAM);
  EXPECT_TRUE(notified());
}

TEST_F(socket_events_test, within_a_namespace_of_control_groups_not_all_is_reported) {
  std::optional<bool> all;
  std::thread([&] {
    if (::unshare(CLONE_NEWCGROUP) == 0) all = socket_events(loop_.executor(), {}).is_complete();
  }).join();
  EXPECT_EQ(all, false);
}

}  // namespace
}  // namespace host_sockets
