#include "tests/bench/network/frame_copier.hpp"

#include <endian.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "net/stream_address.hpp"
#include "tests/bench/load/load_socket.hpp"

namespace bench {
namespace {

constexpr std::size_t most_frame = 65'535, frames_a_turn = 64, read_bytes = 1 << 20;

base::unique_fd open_tap(const char* name) {
  base::unique_fd fd(check(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun"));
  ifreq request{};
  std::string_view(name).copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  check(::ioctl(fd.get(), TUNSETIFF, &request), "TUNSETIFF");
  return fd;
}

base::unique_fd unix_socket() {
  return base::unique_fd(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
}

base::unique_fd connect_unix(const char* path) {
  const auto at = net::to_sockaddr(net::unix_path{path});
  for (int tries = 0; tries < 1000; ++tries) {
    auto fd = unix_socket();
    if (::connect(fd.get(), at.get(), at.size) == 0) return fd;
    ::poll(nullptr, 0, 10);
  }
  throw std::runtime_error(std::string("cannot connect to ") + path);
}

base::unique_fd accept_unix(const char* path) {
  const auto at = net::to_sockaddr(net::unix_path{path});
  const auto listening = unix_socket();
  check(::bind(listening.get(), at.get(), at.size), "bind");
  check(::listen(listening.get(), 1), "listen");
  return base::unique_fd(check(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
}

class frame_copier {
 public:
  frame_copier(base::unique_fd tap, base::unique_fd stream, bool qemu)
      : tap_(std::move(tap)), stream_(std::move(stream)), qemu_(qemu), header_(qemu ? 4 : 2) {
    const int bytes = 1 << 20;
    ::setsockopt(stream_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    ::fcntl(stream_.get(), F_SETFL, O_NONBLOCK);
  }

  // False: the other end has closed the stream.
  bool turn() {
    const bool waits = sent_ < filled_;  // the other end does not read: the tap keeps, or drops, its frames
    pollfd ready[] = {{stream_.get(), static_cast<short>(POLLIN | (waits ? POLLOUT : 0)), 0},
                      {waits ? -1 : tap_.get(), POLLIN, 0}};
    check(::poll(ready, 2, -1), "poll");
    if (ready[0].revents & (POLLIN | POLLHUP | POLLERR) && !take_from_stream()) return false;
    if (!waits && ready[1].revents & POLLIN) take_from_tap();
    flush();
    return true;
  }

 private:
  void put_length(std::uint8_t* at, std::size_t length) const {
    const auto big = htobe32(static_cast<std::uint32_t>(length));
    const auto little = htole16(static_cast<std::uint16_t>(length));
    std::memcpy(at, qemu_ ? static_cast<const void*>(&big) : &little, header_);
  }
  [[nodiscard]] std::size_t length_at(const std::uint8_t* at) const {
    std::uint32_t big = 0;
    std::uint16_t little = 0;
    std::memcpy(qemu_ ? static_cast<void*>(&big) : &little, at, header_);
    return qemu_ ? be32toh(big) : le16toh(little);
  }

  void take_from_tap() {
    sent_ = filled_ = 0;
    for (std::size_t i = 0; i < frames_a_turn; ++i) {
      const auto got = ::read(tap_.get(), out_.data() + filled_ + header_, most_frame);
      if (got <= 0) break;
      put_length(out_.data() + filled_, static_cast<std::size_t>(got));
      filled_ += header_ + static_cast<std::size_t>(got);
    }
  }

  void flush() {
    while (sent_ < filled_) {
      const auto done = ::send(stream_.get(), out_.data() + sent_, filled_ - sent_, MSG_NOSIGNAL);
      if (done < 0) return;  // a stream that has ended shows when it is read
      sent_ += static_cast<std::size_t>(done);
    }
  }

  bool take_from_stream() {
    const auto got = ::recv(stream_.get(), in_.data() + held_, in_.size() - held_, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
    if (got > 0) held_ += static_cast<std::size_t>(got);
    std::size_t at = 0;
    while (const auto length = whole_frame(at)) {
      if (::write(tap_.get(), in_.data() + at + header_, *length) < 0 && errno == EBADFD) return false;
      at += header_ + *length;
    }
    held_ -= at;
    std::memmove(in_.data(), in_.data() + at, held_);
    return true;
  }

  [[nodiscard]] std::optional<std::size_t> whole_frame(std::size_t at) const {
    if (held_ - at < header_) return std::nullopt;
    const auto length = length_at(in_.data() + at);
    if (length > most_frame) throw std::runtime_error("a frame that is too long");
    if (held_ - at < header_ + length) return std::nullopt;
    return length;
  }

  base::unique_fd tap_, stream_;
  bool qemu_;
  std::size_t header_;
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(frames_a_turn * (4 + most_frame));
  std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(read_bytes);
  std::size_t sent_ = 0, filled_ = 0, held_ = 0;
};

}  // namespace

void copy_frames(std::span<char*> words) {
  if (words.size() != 4) throw std::runtime_error("TAP listen|connect SOCKET stdio|qemu");
  auto tap = open_tap(words[0]);
  const bool listens = std::string_view(words[1]) == "listen", qemu = std::string_view(words[3]) == "qemu";
  frame_copier copier(std::move(tap), listens ? accept_unix(words[2]) : connect_unix(words[2]), qemu);
  while (copier.turn()) {
  }
  ::_exit(1);
}

void run_connected(std::span<char*> words) {
  if (words.size() < 2) throw std::runtime_error("SOCKET PROGRAM [ARGUMENT…]");
  const auto fd = connect_unix(words[0]);
  constexpr int for_program = 3;
  if (fd.get() == for_program)
    check(::fcntl(for_program, F_SETFD, 0), "fcntl");
  else
    check(::dup2(fd.get(), for_program), "dup2");
  std::vector<char*> argv(words.begin() + 1, words.end());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  throw std::runtime_error(std::string("cannot run ") + argv[0]);
}

}  // namespace bench
