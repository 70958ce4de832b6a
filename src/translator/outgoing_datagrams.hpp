// outgoing_datagrams: datagrams of the VM that one socket sends with one system call. Their bytes are not copied.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "netstack/stack/action.hpp"

namespace translator {

class outgoing_datagrams {
 public:
  static constexpr std::size_t capacity = 64;

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] bool is_full() const { return count_ == capacity; }
  // The payload must stay until send() has returned. Must not be full.
  void add(const netstack::action::datagram& d);

  struct failure {
    netstack::endpoint asked;
    int error = 0;
  };
  struct outcome {
    std::size_t dropped = 0;  // the socket was full
    std::size_t failures = 0;
    std::array<failure, capacity> failed;  // the first `failures`: refused by the kernel
  };
  // Sends all datagrams, and is empty afterwards. The pending error of an earlier datagram is cleared and not reported.
  void send(int fd, outcome& to);

 private:
  struct entry {
    sockaddr_in to{};
    iovec bytes{};
    netstack::endpoint asked;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ttl{};
  };
  std::array<entry, capacity> entries_;
  std::array<mmsghdr, capacity> headers_{};
  std::size_t count_ = 0;
};

}  // namespace translator
