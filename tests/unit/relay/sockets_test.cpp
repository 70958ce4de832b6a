#include "relay/sockets.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>

#include <array>

#include "net/stream_address.hpp"
#include "os/vsock.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace relay {
namespace {

using support::accept_one;
using support::connected_socket;
using support::local_endpoint;

constexpr auto loopback = net::address::loopback_v4();

listener_spec tcp_at(const net::address& ip) { return {.listen = {ip, 0}, .target = {}}; }

int option(const base::unique_fd& fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd.get(), level, name, &value, &size), 0);
  return value;
}
bool does_not_block(const base::unique_fd& fd) { return (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0; }
bool closes_on_exec(const base::unique_fd& fd) { return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0; }

struct pair_of_sockets {
  base::unique_fd near, far;
};
pair_of_sockets unix_pair() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {base::unique_fd(ends[0]), base::unique_fd(ends[1])};
}
pair_of_sockets tcp_pair() {
  const auto listener = support::bound_socket(SOCK_STREAM, {loopback, 0});
  auto near = connected_socket(SOCK_STREAM, local_endpoint(listener.get()));
  return {std::move(near), accept_one(listener.get())};
}

TEST(open_listener, accepted_sockets_inherit_the_options_of_a_relay) {
  const auto listener = open_listener(tcp_at(loopback));
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_TRUE(does_not_block(*listener));
  EXPECT_TRUE(closes_on_exec(*listener));
  const auto client = connected_socket(SOCK_STREAM, local_endpoint(listener->get()));
  const auto server = accept_one(listener->get());
  EXPECT_EQ(option(server, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(server, SOL_SOCKET, SO_OOBINLINE), 1);
  EXPECT_EQ(option(server, SOL_SOCKET, SO_KEEPALIVE), 1);
}

TEST(open_listener, the_error_is_the_kernels) {
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp}) {
    const auto type = protocol == net::protocol::tcp ? SOCK_STREAM : SOCK_DGRAM;
    const auto holder = support::bound_socket(type, {loopback, 0});
    auto spec = tcp_at(loopback);
    spec.protocol = protocol;
    spec.listen = local_endpoint(holder.get());
    EXPECT_EQ(open_listener(spec).error().code, std::errc::address_in_use);
    spec.listen = {net::address::v4(192, 0, 2, 1), 0};
    EXPECT_EQ(open_listener(spec).error().code, std::errc::address_not_available);
  }
  auto nowhere = tcp_at(loopback);
  nowhere.clients.device = "no-such-device";
  EXPECT_EQ(open_listener(nowhere).error().code, std::errc::no_such_device);
}

TEST(open_listener, a_wildcard_serves_both_families_only_if_it_is_meant_to) {
  auto spec = tcp_at(net::address::any_v4());
  spec.dual_stack = true;
  const auto both = open_listener(spec);
  ASSERT_TRUE(both) << both.error().message();
  const auto port = local_endpoint(both->get()).port;
  EXPECT_NO_THROW(connected_socket(SOCK_STREAM, {loopback, port}));
  EXPECT_NO_THROW(connected_socket(SOCK_STREAM, {net::address::loopback_v6(), port}));
  const auto v6 = open_listener(tcp_at(net::address::any_v6()));
  ASSERT_TRUE(v6) << v6.error().message();
  EXPECT_EQ(option(*v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
}

TEST(open_listener, without_ipv6_a_wildcard_serves_ipv4) {
  const bool ran = support::run_without({SYS_socket, 0, AF_INET6, EAFNOSUPPORT}, [] {
    auto spec = tcp_at(net::address::any_v4());
    spec.dual_stack = true;
    const auto made = open_listener(spec);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(local_endpoint(made->get()).ip, net::address::any_v4());
    EXPECT_EQ(open_listener(tcp_at(net::address::loopback_v6())).error().code, std::errc::address_family_not_supported);
  });
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
}

TEST(open_listener, a_filter_takes_packets_of_its_network_alone) {
  auto spec = tcp_at(net::address::any_v4());
  spec.protocol = net::protocol::udp;
  spec.clients.network = net::address::v4(127, 5, 0, 0);
  spec.clients.prefix_length = 16;
  const auto server = open_listener(spec);
  ASSERT_TRUE(server) << server.error().message();
  const auto to = net::to_sockaddr({loopback, local_endpoint(server->get()).port});
  for (const auto& from : {loopback, net::address::v4(127, 6, 0, 1), net::address::v4(127, 5, 255, 9)}) {
    const auto client = support::bound_socket(SOCK_DGRAM, {from, 0});
    const auto name = from.to_string();
    ASSERT_EQ(::sendto(client.get(), name.data(), name.size(), 0, to.get(), to.size),
              static_cast<ssize_t>(name.size()));
  }
  pollfd arrived{server->get(), POLLIN, 0};
  ASSERT_EQ(::poll(&arrived, 1, 10'000), 1);
  std::string bytes(100, '\0');
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(::recv(server->get(), bytes.data(), bytes.size(), 0), 0)));
  EXPECT_EQ(bytes, "127.5.255.9") << "the first ones were not dropped";
}

TEST(dial, reports_whether_the_target_is_connected_already) {
  const auto listener = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto made = dial(net::to_sockaddr(local_endpoint(listener.get())));
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->connected) << "this machine answers at once";
  EXPECT_TRUE(does_not_block(made->fd));
  EXPECT_TRUE(closes_on_exec(made->fd));
  EXPECT_EQ(option(made->fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(pending_error(made->fd.get()), 0);
}

TEST(dial, a_refusal_is_an_error_at_once_or_a_pending_one) {
  const auto made = dial(net::to_sockaddr(net::endpoint{loopback, support::free_port()}));
  if (!made) {
    EXPECT_EQ(made.error().code, std::errc::connection_refused);
    return;
  }
  EXPECT_FALSE(made->connected);
  pollfd answered{made->fd.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&answered, 1, 10'000), 1);
  EXPECT_EQ(pending_error(made->fd.get()), ECONNREFUSED);
  EXPECT_EQ(pending_error(made->fd.get()), 0) << "reading clears it";
}

TEST(dial, a_unix_socket_that_is_missing_or_whose_queue_is_full_is_an_error) {
  const support::temp_dir directory;
  const auto at = net::to_sockaddr(net::stream_address(net::unix_path{(directory / "target").string()}));
  EXPECT_EQ(dial(at).error().code, std::errc::no_such_file_or_directory);
  const base::unique_fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), at.get(), at.size), 0);
  EXPECT_EQ(dial(at).error().code, std::errc::connection_refused);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const auto first = dial(at);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->connected);
  EXPECT_EQ(dial(at).error().code, std::errc::resource_unavailable_try_again);
}

TEST(open_flow, takes_datagrams_of_its_target_alone) {
  const auto target = support::bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto stranger = support::bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto flow = open_flow(local_endpoint(target.get()));
  ASSERT_TRUE(flow) << flow.error().message();
  EXPECT_TRUE(does_not_block(*flow));
  const auto to = net::to_sockaddr(local_endpoint(flow->get()));
  for (const auto* from : {&stranger, &target})
    ASSERT_EQ(::sendto(from->get(), from == &target ? "t" : "s", 1, 0, to.get(), to.size), 1);
  pollfd arrived{flow->get(), POLLIN, 0};
  ASSERT_EQ(::poll(&arrived, 1, 10'000), 1);
  char byte = 0;
  EXPECT_EQ(::recv(flow->get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 't');
}

TEST(sockets, a_close_after_reset_on_close_is_a_reset) {
  auto pair = tcp_pair();
  reset_on_close(pair.near.get());
  pair.near.reset();
  EXPECT_TRUE(support::is_reset(pair.far));
}

TEST(sockets, a_peer_that_closed_is_told_from_one_that_only_ended_its_direction) {
  auto pair = unix_pair();
  EXPECT_FALSE(is_abandoned(pair.near.get()));
  ::shutdown(pair.far.get(), SHUT_WR);
  EXPECT_FALSE(is_abandoned(pair.near.get()));
  pair.far.reset();
  EXPECT_TRUE(is_abandoned(pair.near.get()));
}

TEST(sockets, knows_the_family) {
  const auto tcp = tcp_pair(), local = unix_pair();
  const auto v6 = support::bound_socket(SOCK_STREAM, {net::address::loopback_v6(), 0});
  EXPECT_TRUE(is_inet(tcp.near.get()));
  EXPECT_TRUE(is_inet(v6.get()));
  EXPECT_FALSE(is_inet(local.near.get()));
  EXPECT_FALSE(is_inet(-1));
  for (const int fd : {tcp.near.get(), local.near.get(), v6.get(), -1}) EXPECT_EQ(os::peer_cid(fd), 0U);
}

TEST(sockets, a_shortage_is_no_other_failure) {
  for (const int short_of : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) EXPECT_TRUE(out_of_resources(short_of)) << short_of;
  for (const int other : {0, EAGAIN, ECONNREFUSED, ECONNABORTED, EADDRINUSE}) EXPECT_FALSE(out_of_resources(other));
}

}  // namespace
}  // namespace relay
