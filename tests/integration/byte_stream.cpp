#include "tests/integration/byte_stream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
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

void reset(base::unique_fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset();
}

}  // namespace integration
