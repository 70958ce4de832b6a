// The sockets of the benches' own clients and servers: non-blocking, IPv4. A failure throws: a bench has no way on.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace bench {

int check(int answer, const char* what);  // throws std::system_error for -1

[[nodiscard]] net::endpoint local(std::uint16_t port);
[[nodiscard]] base::unique_fd listen_socket(const net::endpoint& at);
[[nodiscard]] base::unique_fd start_connection(const net::endpoint& to);  // under way
[[nodiscard]] base::unique_fd udp_socket();                               // with large buffers
void bind_socket(int fd, const net::endpoint& at);

// A batch of small datagrams, for one system call each way.
class datagrams {
 public:
  static constexpr unsigned capacity = 64;
  static constexpr std::size_t most_bytes = 2048;
  explicit datagrams(bool with_addresses);

  int receive(int fd);                                  // how many, -1 for none
  int send(int fd, unsigned count);                     // what was received, back to where it came from
  int send(int fd, unsigned count, std::size_t bytes);  // new ones

 private:
  bool with_addresses_;
  std::vector<char> memory_ = std::vector<char>(capacity * most_bytes, 'd');
  std::array<sockaddr_storage, capacity> addresses_{};
  std::array<iovec, capacity> vectors_{};
  std::array<mmsghdr, capacity> headers_{};
};

}  // namespace bench
