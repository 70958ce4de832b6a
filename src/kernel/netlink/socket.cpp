#include "kernel/netlink/socket.hpp"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
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
namespace {

using clock = std::chrono::steady_clock;

constexpr int largest_errno = 4095;

std::unexpected<base::error> fail_number(int number, const std::string& name) {
  return base::fail(std::error_code(number, std::system_category()), name);
}

// The number in the body of NLMSG_ERROR and NLMSG_DONE; 0: success. A DONE may come without one.
int error_in(const nlmsghdr& header, bytes_view body) {
  const auto code = read<std::int32_t>(body).value_or(header.nlmsg_type == NLMSG_ERROR ? -EPROTO : 0);
  if (code >= 0) return 0;
  return code >= -largest_errno ? -code : EPROTO;
}

// False at the deadline.
bool wait_readable(int fd, clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (ready > 0) return true;
    if (ready == 0 && clock::now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

base::result<> subscribe(int fd, const subscription& wanted) {
  if (!wanted.filter.empty()) {
    const sock_fprog program{static_cast<unsigned short>(wanted.filter.size()),
                             const_cast<sock_filter*>(wanted.filter.data())};
    if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
      return base::fail_errno("netlink filter");
  }
  for (const unsigned group : wanted.groups)
    if (::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      return base::fail_errno("netlink group");
  return {};
}

// How far the answer to a dump has come.
struct dump_progress {
  std::uint32_t sequence;
  std::size_t messages = 0;
  bool inconsistent = false;
  bool done = false;
  bool ours = false;  // the last datagram answers this dump and not an earlier one
  int error = 0;

  void add(bytes_view datagram) {
    ours = false;
    for_each_message(datagram, [this](const nlmsghdr& header, bytes_view body) {
      if (header.nlmsg_seq != sequence) return;
      ours = true;
      ++messages;
      inconsistent = inconsistent || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (header.nlmsg_type != NLMSG_DONE && header.nlmsg_type != NLMSG_ERROR) return;
      done = true;
      error = error_in(header, body);
    });
  }
};

}  // namespace

base::result<socket> socket::open(int protocol, const subscription& wanted) {
  base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) return base::fail_errno("netlink socket");
  // The kernel refuses a request that it does not fully understand; an older kernel ignores what it does not
  // understand.
  const int on = 1;
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0)
    return base::fail_errno("netlink bind");
  if (auto done = subscribe(fd.get(), wanted); !done) return std::unexpected(done.error());
  return socket(std::move(fd));
}

void socket::reserve_for_requests(int bytes) const {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
}

base::result<> socket::send(std::span<const std::byte> request) const {
  while (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    if (errno != EINTR) return base::fail_errno("netlink request");
  return {};
}

base::result<bytes_view> socket::receive(std::span<std::byte> into, const question& q) const {
  while (true) {
    const auto got = ::recv(fd_.get(), into.data(), into.size(), MSG_TRUNC);
    if (got > std::ssize(into)) return base::fail(std::errc::message_size, q.name);
    if (got >= 0) return into.first(static_cast<std::size_t>(got));
    const int number = errno;
    if (number == EINTR) continue;
    if (number != EAGAIN) return fail_number(number, q.name);
    if (!wait_readable(fd_.get(), q.deadline)) return base::fail(std::errc::timed_out, q.name);
  }
}

// Until `take` says that the answer is complete.
base::result<> socket::read_until_taken(const question& q, const taker& take) const {
  std::array<std::byte, 65'536> buffer;
  while (true) {
    const auto datagram = receive(buffer, q);
    if (!datagram) return std::unexpected(datagram.error());
    const auto done = take(*datagram);
    if (!done) return std::unexpected(done.error());
    if (*done) return {};
    if (clock::now() > q.deadline) return base::fail(std::errc::timed_out, q.name);
  }
}

base::result<> socket::ask(const question& q, const taker& take) {
  if (answer_pending_) discard_notices();
  answer_pending_ = true;
  if (auto sent = send(q.request); !sent) return base::fail(sent.error().code, q.name);
  auto done = read_until_taken(q, take);
  answer_pending_ = !done;
  return done;
}

base::result<socket::reply> socket::get_reply(const question& q) {
  reply answer;
  const auto done = ask(q, [&](bytes_view datagram) -> base::result<bool> {
    int error = 0;
    std::size_t objects = 0;
    for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
      if (header.nlmsg_type == NLMSG_ERROR)
        error = error_in(header, body);
      else
        ++objects;
    });
    if (error == 0 && objects == 0) return base::fail(std::errc::protocol_error, q.name);
    answer.refusal = std::error_code(error, std::system_category());
    if (error == 0) answer.object.assign(datagram.begin(), datagram.end());
    return true;
  });
  if (!done) return std::unexpected(done.error());
  return answer;
}

base::result<std::vector<std::byte>> socket::get(const question& q) {
  auto answer = get_reply(q);
  if (!answer) return std::unexpected(answer.error());
  if (answer->refusal) return base::fail(answer->refusal, q.name);
  return std::move(answer->object);
}

base::result<> socket::transact(const question& q, std::uint32_t acknowledged) {
  return ask(q, [&](bytes_view datagram) -> base::result<bool> {
    int error = 0;
    bool done = false;
    for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
      if (header.nlmsg_type != NLMSG_ERROR || error != 0) return;
      error = error_in(header, body);
      done = done || header.nlmsg_seq == acknowledged;
    });
    if (error != 0) return fail_number(error, q.name);
    return done;
  });
}

base::result<socket::dump_end> socket::dump_once(question q, const visitor& visit) {
  if (q.request.size() < sizeof(nlmsghdr)) return base::fail(std::errc::invalid_argument, q.name);
  dump_progress progress{.sequence = ++sequence_};
  std::memcpy(q.request.data() + offsetof(nlmsghdr, nlmsg_seq), &progress.sequence, sizeof progress.sequence);
  const auto done = ask(q, [&](bytes_view datagram) -> base::result<bool> {
    progress.add(datagram);
    if (progress.error != 0) return fail_number(progress.error, q.name);
    if (progress.messages > q.most_messages) return base::fail(std::errc::value_too_large, q.name);
    if (progress.ours) visit(datagram);
    return progress.done;
  });
  if (!done) return std::unexpected(done.error());
  return progress.inconsistent ? dump_end::inconsistent : dump_end::complete;
}

std::optional<bytes_view> socket::next_notice(notice_buffer into) const {
  while (true) {
    const auto got = ::recv(fd_.get(), into.data(), into.size(), 0);
    if (got >= 0) return into.first(static_cast<std::size_t>(got));
    if (errno == ENOBUFS) return bytes_view{};
    if (errno != EINTR) return std::nullopt;
  }
}

bool socket::discard_notices() const {
  std::array<std::byte, 8'192> ignored;
  bool any = false;
  while (next_notice(ignored)) any = true;
  return any;
}

}  // namespace netlink
