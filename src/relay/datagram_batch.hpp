// datagram_batch: room for up to 32 datagrams of any size, received and sent with one system call each way. Its memory
// is reserved at once; the kernel provides pages only as far as datagrams have reached.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "net/endpoint.hpp"

namespace relay {

// The local address that a client wrote to, as the control message that makes a reply leave from it.
struct local_address {
  alignas(cmsghdr) std::array<char, 64> control{};
  std::size_t size = 0;
};

class datagram_batch {
 public:
  static constexpr unsigned capacity = 32;
  static constexpr std::size_t datagram_bytes = 65'536;

  datagram_batch();
  datagram_batch(const datagram_batch&) = delete;
  datagram_batch& operator=(const datagram_batch&) = delete;
  ~datagram_batch();

  // Receives the waiting datagrams, at most `capacity`. Returns their number, or -1 with errno.
  int receive(int fd, bool with_addresses);
  // Sends the received datagrams [first, last) to a connected UDP socket, or to `to` from `from`. Returns how many were
  // sent.
  int send(int fd, unsigned first, unsigned last);
  int send(int fd, unsigned first, unsigned last, const net::socket_address& to, const local_address& from);

  // The payload of the datagrams that the last send() has sent, in bytes.
  [[nodiscard]] std::size_t sent_bytes() const { return sent_bytes_; }
  // The payload of the received datagrams [first, last), in bytes.
  [[nodiscard]] std::size_t size_of(unsigned first, unsigned last) const;
  // A received datagram.
  [[nodiscard]] std::span<const std::uint8_t> bytes(unsigned i) const {
    return {static_cast<const std::uint8_t*>(vectors_[i].iov_base), vectors_[i].iov_len};
  }
  // The addresses of a received datagram; only after receive() with addresses.
  [[nodiscard]] const net::socket_address& source(unsigned i) const { return sources_[i]; }
  [[nodiscard]] local_address destination(unsigned i) const;

 private:
  int send_prepared(int fd, unsigned first, unsigned last);
  [[nodiscard]] bool is_one_train(unsigned first, unsigned last) const;
  bool send_as_train(int fd, unsigned first, unsigned last);

  char* memory_;
  std::size_t sent_bytes_ = 0;
  std::array<mmsghdr, capacity> headers_{};
  std::array<iovec, capacity> vectors_{};
  std::array<net::socket_address, capacity> sources_{};
  struct control_buffer {
    alignas(cmsghdr) std::array<char, 64> bytes;
  };
  std::array<control_buffer, capacity> controls_{};
};

}  // namespace relay
