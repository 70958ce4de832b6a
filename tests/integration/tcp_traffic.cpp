#include "tests/integration/tcp_traffic.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

namespace integration {

base::unique_fd accept_from(int listener, std::chrono::seconds limit) {
  pollfd ready{listener, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(limit).count())) <= 0) return {};
  base::unique_fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (fd) set_blocking(fd.get());
  return fd;
}

base::unique_fd dial(const support::netns& from, const net::endpoint& to, std::chrono::seconds limit) {
  return from.run([&] {
    base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_blocking(fd.get(), limit);
    const auto address = net::to_sockaddr(to);
    if (::connect(fd.get(), address.get(), address.size) == 0) return fd;
    const int error = errno;
    fd.reset();
    errno = error;
    return fd;
  });
}

void expect_reset(int fd) {
  std::array<char, 16> bytes{};
  EXPECT_LT(::recv(fd, bytes.data(), bytes.size(), 0), 0);
  EXPECT_EQ(errno, ECONNRESET);
}

tcp_pair connect_by(int listener, const support::netns& from, const net::endpoint& to) {
  tcp_pair made;
  std::thread accepting([&] { made.server = accept_from(listener); });
  made.client = dial(from, to);
  accepting.join();
  return made;
}

void expect_bytes(int from, int to, std::size_t bytes) {
  std::thread sending([&] {
    EXPECT_TRUE(send_stream(from, bytes)) << std::strerror(errno);
    ::shutdown(from, SHUT_WR);
  });
  EXPECT_EQ(receive_stream(to), bytes) << std::strerror(errno);
  sending.join();
}

void expect_bytes_both_ways(const tcp_pair& both, std::size_t bytes) {
  std::thread back([&] { expect_bytes(both.server.get(), both.client.get(), bytes); });
  expect_bytes(both.client.get(), both.server.get(), bytes);
  back.join();
}

}  // namespace integration
