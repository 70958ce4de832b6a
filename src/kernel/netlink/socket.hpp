// socket: a netlink socket, and the only place that opens one. Its owner puts questions to the kernel, or joins
// multicast groups and reads what arrives. It belongs to the network namespace of the thread that opened it. One thread
// uses it at a time. It never blocks longer than a question's deadline.
//
// Each failure has one meaning for all questions:
//
//   timed_out           the deadline passed before the answer was complete
//   value_too_large     the answer has more messages than the question allows
//   message_size        a datagram did not fit into the buffer
//   no_buffer_space     the socket's queue overflowed: part of the answer is lost
//   protocol_error      the answer is malformed, or of the wrong kind
//   resource_unavailable_try_again  the objects kept changing during each attempt at a dump
//   any other           the number that the kernel answered (NLMSG_ERROR, NLMSG_DONE), or that a system call returned
//
// An interrupted call is repeated. A dump that the kernel marks as inconsistent starts again. The rest of an abandoned
// answer is discarded before the next question, so that the kernel does not refuse it with EBUSY.
#pragma once

#include <linux/filter.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netlink {

struct subscription {
  std::vector<unsigned> groups;
  std::span<const sock_filter> filter{};  // in force before the first notice arrives; empty: everything passes
};

struct question {
  std::vector<std::byte> request;
  std::string name;  // what the answer is, for errors: "list of tcp sockets"
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  std::size_t most_messages = 100'000;
};

class socket {
 public:
  // `protocol`: NETLINK_ROUTE, …. Fails with invalid_argument if the kernel does not know a group, and with
  // protocol_not_supported if it does not know the protocol.
  static base::result<socket> open(int protocol, const subscription& wanted = {});
  // Takes over a socket that speaks netlink.
  explicit socket(base::unique_fd fd) : fd_(std::move(fd)) {}

  // For waiting in an event loop.
  [[nodiscard]] int fd() const { return fd_.get(); }

  // The kernel accepts a request whole or not at all; a larger one needs a larger buffer. Without the right to one, the
  // buffer keeps its size and the request fails.
  void reserve_for_requests(int bytes) const;

  // Sends a request whose answer does not matter.
  [[nodiscard]] base::result<> send(std::span<const std::byte> request) const;

  // The single datagram that answers a request for one object.
  [[nodiscard]] base::result<std::vector<std::byte>> get(const question& q);

  // Like get(), but returns the kernel's refusal as part of the reply. Fails only without an answer.
  struct reply {
    std::vector<std::byte> object{};
    std::error_code refusal{};  // the number in NLMSG_ERROR
  };
  [[nodiscard]] base::result<reply> get_reply(const question& q);

  // Sends one or more messages as a transaction. Returns when the kernel has acknowledged the message with the number
  // `acknowledged`, or has refused any of them.
  [[nodiscard]] base::result<> transact(const question& q, std::uint32_t acknowledged);

  // Requests a list, and calls `visit` for each datagram of it.
  enum class dump_end : std::uint8_t { complete, inconsistent };
  using visitor = std::function<void(bytes_view)>;
  [[nodiscard]] base::result<dump_end> dump_once(question q, const visitor& visit);

  // Requests a list until it is consistent. `read(datagram, T&)` adds a datagram to a T, which is new for each attempt.
  template <class T, class Read>
  [[nodiscard]] base::result<T> dump(const question& q, const Read& read);

  // One notice, if one has arrived. An empty one means that the kernel has dropped notices.
  using notice_buffer = std::span<std::byte>;
  [[nodiscard]] std::optional<bytes_view> next_notice(notice_buffer into) const;
  // Discards all notices. True if there were any.
  bool discard_notices() const;

 private:
  static constexpr int dump_attempts = 5;
  using taker = std::function<base::result<bool>(bytes_view)>;

  [[nodiscard]] base::result<> ask(const question& q, const taker& take);
  [[nodiscard]] base::result<> read_until_taken(const question& q, const taker& take) const;
  [[nodiscard]] base::result<bytes_view> receive(std::span<std::byte> into, const question& q) const;

  base::unique_fd fd_;
  std::uint32_t sequence_ = 0;
  bool answer_pending_ = false;
};

template <class T, class Read>
base::result<T> socket::dump(const question& q, const Read& read) {
  for (int i = 0; i < dump_attempts; ++i) {
    T found{};
    const auto end = dump_once(q, [&](bytes_view datagram) { read(datagram, found); });
    if (!end) return std::unexpected(end.error());
    if (*end == dump_end::complete) return found;
  }
  return base::fail(std::errc::resource_unavailable_try_again, q.name + " keeps changing");
}

}  // namespace netlink
