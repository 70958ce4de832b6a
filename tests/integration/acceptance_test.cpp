// Rules of the acceptance list (docs/testing.md) that concern several programs at once: who can use their sockets, what
// they do not touch, and what they do without free descriptors.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <vector>

#include "tests/integration/end_to_end.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/socket_peer.hpp"

namespace integration {
namespace {

using support::unprivileged;

// A connection to a UNIX socket; none, and errno, if the user may not.
base::unique_fd connect_as(uid_t user, const support::netns& where, const std::string& path) {
  int error = 0;
  auto connected = where.run(
      [&] {
        base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        path.copy(at.sun_path, sizeof at.sun_path - 1);
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return fd;
        error = errno;
        return base::unique_fd();
      },
      user);
  errno = error;
  return connected;
}

class acceptance : public end_to_end {};

// The directory is open to all users, so only the sockets' own mode refuses them.
TEST_F(acceptance, another_user_can_use_no_socket) {
  lab_->start_privileged_service();
  const auto directory = lab_->directory();
  ASSERT_TRUE(eventually(soon, [&] { return std::filesystem::exists(directory / "privileged-service.sock"); }));
  ASSERT_EQ(::chmod(directory.c_str(), 0755), 0);
  for (const char* name : {"wsl-proxy.sock", "status.sock", "privileged-service.sock"}) {
    const auto path = (directory / name).string();
    EXPECT_FALSE(connect_as(unprivileged, lab_->rd(), path)) << name;
    EXPECT_EQ(errno, EACCES) << name;
    EXPECT_TRUE(connect_as(0, lab_->rd(), path)) << name;
  }
  const auto asked = support::run_command({.argv = {(support::program_directory() / "guestagentctl").string(), "status",
                                                    "-socket=" + (directory / "status.sock").string()},
                                           .user = unprivileged});
  EXPECT_NE(asked.exit_code, 0) << asked.text;
}

// A server gets no connection and no datagram before a client sends a request.
TEST_F(acceptance, no_users_port_is_dialed) {
  const auto tcp = support::open_socket(lab_->rd(), protocol::tcp, *net::parse_endpoint("0.0.0.0:9100"), true);
  const auto tcp_on_loopback =
      support::open_socket(lab_->rd(), protocol::tcp, *net::parse_endpoint("127.0.0.1:9101"), true);
  const auto udp = support::open_socket(lab_->rd(), protocol::udp, *net::parse_endpoint("0.0.0.0:9102"), true);
  ASSERT_TRUE(tcp && tcp_on_loopback && udp);
  expect_published({"tcp 0.0.0.0:9100", "tcp 127.0.0.1:9101", "udp 0.0.0.0:9102"}, 10s);
  const auto none_came = [](int listener) {
    return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK) < 0 && errno == EAGAIN;
  };
  for (const auto* one : {&tcp, &tcp_on_loopback}) {
    ASSERT_EQ(::fcntl(one->get(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_TRUE(none_came(one->get()));
  }
  char byte = 0;
  EXPECT_LT(::recv(udp.get(), &byte, 1, MSG_DONTWAIT), 0);
  const auto client = support::open_socket(lab_->host(), protocol::tcp, *net::parse_endpoint("127.0.0.1:9100"), false);
  EXPECT_TRUE(eventually(soon, [&] { return !none_came(tcp.get()); })) << "the first is a client's";
}

std::size_t complaints(const std::filesystem::path& log) {
  const auto text = support::read_text(log);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(" WARN ", at)) != std::string::npos; ++at) ++count;
  for (std::size_t at = 0; (at = text.find(" ERROR ", at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(short_of_descriptors, existing_connections_go_on_and_there_is_one_line) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns where("short");
  const support::lab_directory directory;
  const auto socket = (directory.path() / "wsl-proxy.sock").string(), log = (directory.path() / "log").string();
  const auto server = support::open_socket(where, protocol::tcp, *net::parse_endpoint("127.0.0.3:8080"), true);
  ASSERT_TRUE(server);
  support::child_process proxy(
      {.argv = {"prlimit", "--nofile=96:96", (support::program_directory() / "wsl-proxy").string(), "-logfile=" + log,
                "-socketFile=" + socket, "-upstreamAddress=127.0.0.3"},
       .net_namespace = where.path()});
  base::unique_fd control;
  ASSERT_TRUE(eventually(10s, [&] { return static_cast<bool>(control = connect_as(0, where, socket)); }));
  support::send_all(control.get(), R"({"remove":false,"ports":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}})");
  control.reset();
  const auto at = *net::parse_endpoint("127.0.0.1:8080");
  const auto open = [&] { return support::open_socket(where, protocol::tcp, at, false); };
  base::unique_fd first;
  ASSERT_TRUE(eventually(10s, [&] { return static_cast<bool>(first = open()); }));
  const auto accept_one = [&] { return base::unique_fd(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC)); };
  base::unique_fd served;
  ASSERT_TRUE(eventually(10s, [&] { return static_cast<bool>(served = accept_one()); }));
  support::set_deadline(served.get());
  std::vector<base::unique_fd> many;
  for (int i = 0; i < 200; ++i) many.push_back(open());
  EXPECT_TRUE(eventually(10s, [&] { return complaints(log) > 0; })) << support::read_text(log);
  support::send_all(first.get(), "goes on");
  EXPECT_EQ(support::read_exactly(served.get(), 7), "goes on");
  EXPECT_EQ(complaints(log), 1U) << support::read_text(log);
  many.clear();
  const auto serves_again = [&] {
    const auto client = open();
    if (!client || ::send(client.get(), "again", 5, MSG_NOSIGNAL) != 5) return false;
    const auto one = accept_one();
    char bytes[5];
    return one && ::recv(one.get(), bytes, sizeof bytes, MSG_DONTWAIT) == 5;
  };
  EXPECT_TRUE(eventually(20s, serves_again)) << support::read_text(log);
  EXPECT_EQ(proxy.stop(), 0);
}

}  // namespace
}  // namespace integration
