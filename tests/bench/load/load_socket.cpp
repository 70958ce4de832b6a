#include "tests/bench/load/load_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace bench {
namespace {

void set(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

base::unique_fd make(int type) {
  return base::unique_fd(check(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
}

}  // namespace

int check(int answer, const char* what) {
  if (answer < 0) throw std::system_error(errno, std::system_category(), what);
  return answer;
}

net::endpoint local(std::uint16_t port) { return {net::address::loopback_v4(), port}; }

void bind_socket(int fd, const net::endpoint& at) {
  const auto address = net::to_sockaddr(at);
  check(::bind(fd, address.get(), address.size), "bind");
}

base::unique_fd listen_socket(const net::endpoint& at) {
  auto fd = make(SOCK_STREAM);
  set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // what is accepted inherits it
  bind_socket(fd.get(), at);
  check(::listen(fd.get(), 4096), "listen");
  return fd;
}

base::unique_fd start_connection(const net::endpoint& to) {
  auto fd = make(SOCK_STREAM);
  set(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  const auto address = net::to_sockaddr(to);
  if (::connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) check(-1, "connect");
  return fd;
}

base::unique_fd udp_socket() {
  auto fd = make(SOCK_DGRAM);
  for (const int buffer : {SO_RCVBUFFORCE, SO_SNDBUFFORCE}) set(fd.get(), SOL_SOCKET, buffer, 8 << 20);
  return fd;
}

datagrams::datagrams(bool with_addresses) : with_addresses_(with_addresses) {
  for (unsigned i = 0; i < capacity; ++i) {
    vectors_[i].iov_base = memory_.data() + i * most_bytes;
    headers_[i].msg_hdr.msg_iov = &vectors_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
    if (with_addresses) headers_[i].msg_hdr.msg_name = &addresses_[i];
  }
}

int datagrams::receive(int fd) {
  for (unsigned i = 0; i < capacity; ++i) {
    vectors_[i].iov_len = most_bytes;
    headers_[i].msg_hdr.msg_namelen = with_addresses_ ? sizeof addresses_[i] : 0;
  }
  const int count = ::recvmmsg(fd, headers_.data(), capacity, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i)
    vectors_[static_cast<std::size_t>(i)].iov_len = headers_[static_cast<std::size_t>(i)].msg_len;
  return count;
}

int datagrams::send(int fd, unsigned count) { return ::sendmmsg(fd, headers_.data(), count, MSG_DONTWAIT); }

int datagrams::send(int fd, unsigned count, std::size_t bytes) {
  count = std::min(count, capacity);
  for (unsigned i = 0; i < count; ++i) vectors_[i].iov_len = bytes;
  return send(fd, count);
}

}  // namespace bench
