#include "tests/integration/tcp_traffic.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace integration {
namespace {

constexpr std::size_t period = 1'000'003;  // a prime: no size of a segment or a ring divides it
constexpr std::size_t block = 64 << 10;

const std::vector<char>& one_period() {
  static const std::vector<char> made = [] {
    std::vector<char> bytes(period);
    std::uint32_t state = 1;
    for (auto& one : bytes) {
      state = state * 1'664'525U + 1'013'904'223U;
      one = static_cast<char>(state >> 24U);
    }
    return bytes;
  }();
  return made;
}

bool equals_stream(std::span<const char> got, std::size_t position) {
  while (!got.empty()) {
    const auto expected = stream_bytes(position, got.size());
    if (std::memcmp(got.data(), expected.data(), expected.size()) != 0) return false;
    got = got.subspan(expected.size());
    position += expected.size();
  }
  return true;
}

}  // namespace

std::span<const char> stream_bytes(std::size_t position, std::size_t most) {
  const auto at = position % period;
  return std::span(one_period()).subspan(at, std::min(most, period - at));
}

bool send_stream(int fd, std::size_t bytes, std::size_t position) {
  for (std::size_t sent = 0; sent < bytes;) {
    const auto next = stream_bytes(position + sent, std::min(block, bytes - sent));
    const auto took = ::send(fd, next.data(), next.size(), MSG_NOSIGNAL);
    if (took <= 0) return false;
    sent += static_cast<std::size_t>(took);
  }
  return true;
}

std::optional<std::size_t> receive_stream(int fd) {
  std::vector<char> buffer(block);
  for (std::size_t total = 0;;) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got == 0) return total;
    if (got < 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(got);
    if (!equals_stream({buffer.data(), size}, total)) {
      errno = 0;
      return std::nullopt;
    }
    total += size;
  }
}

bool receive_part(int fd, std::size_t bytes, std::size_t position) {
  std::vector<char> buffer(block);
  while (bytes > 0) {
    const auto got = ::recv(fd, buffer.data(), std::min(buffer.size(), bytes), 0);
    if (got <= 0) return false;
    const auto size = static_cast<std::size_t>(got);
    if (!equals_stream({buffer.data(), size}, position)) return false;
    bytes -= size;
    position += size;
  }
  return true;
}

void set_blocking(int fd, std::chrono::seconds limit) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  const timeval wait{limit.count(), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

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

void reset(base::unique_fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset();
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
