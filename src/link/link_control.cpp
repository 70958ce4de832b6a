#include "link/link_control.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <expected>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace links {
namespace {

constexpr std::string_view with_offload = "link offload=1", without_offload = "link offload=0", answer = "ok";

// Room for one descriptor, and with its padding for a second one: only the length of one may be offered to the kernel.
constexpr std::size_t rights_size = CMSG_LEN(sizeof(int));
union ancillary {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

struct datagram {
  std::array<char, 64> bytes{};
  std::size_t size = 0;
  base::unique_fd fd;
  [[nodiscard]] std::string_view text() const { return {bytes.data(), size}; }
};

base::unique_fd descriptor_in(msghdr& message) {
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return base::unique_fd(fd);
}

// nullopt if no connection is waiting.
base::result<std::optional<datagram>> receive(int control) {
  datagram got;
  ancillary room{};
  iovec text{got.bytes.data(), got.bytes.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room.bytes.data();
  message.msg_controllen = rights_size;  // the kernel closes what has no room
  const auto size = ::recvmsg(control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size < 0) return base::fail_errno("link control");
  if (size == 0) return base::fail(std::errc::connection_aborted, "link control");
  got.size = static_cast<std::size_t>(size);
  got.fd = descriptor_in(message);
  return got;
}

}  // namespace

base::result<std::array<base::unique_fd, 2>> make_control_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return base::fail_errno("link control");
  return std::array<base::unique_fd, 2>{base::unique_fd(ends[0]), base::unique_fd(ends[1])};
}

base::result<> hand_link(int control, int link, bool asks_offload) {
  const auto words = asks_offload ? with_offload : without_offload;
  ancillary rights{};
  iovec text{const_cast<char*>(words.data()), words.size()};  // iovec has no const variant
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = rights.bytes.data();
  message.msg_controllen = rights.bytes.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof link);
  std::memcpy(CMSG_DATA(header), &link, sizeof link);
  if (::sendmsg(control, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return base::fail_errno("link control");
  return {};
}

base::result<bool> take_answer(int control) {
  const auto got = receive(control);
  if (!got) return std::unexpected(got.error());
  const auto& record = *got;
  return record && record->text() == answer;
}

base::result<std::optional<handed_link>> take_link(int control) {
  auto got = receive(control);
  if (!got) return std::unexpected(got.error());
  auto& record = *got;
  if (!record || !record->fd) return std::nullopt;
  static_cast<void>(::send(control, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  return handed_link{std::move(record->fd), record->text() == with_offload};
}

}  // namespace links
