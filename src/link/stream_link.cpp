#include "link/stream_link.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"
#include "link/offload_agreement.hpp"
#include "link/socket_buffers.hpp"

namespace links {
namespace {

constexpr std::array<std::uint8_t, virtio_header_size> plain_header{};  // no checksum to fill in, no segmentation

std::size_t size_of(std::span<const bytes_view> parts) {
  std::size_t size = 0;
  for (const auto part : parts) size += part.size();
  return size;
}

}  // namespace

stream_link::stream_link(base::unique_fd fd, const stream_options& options)
    : fd_(std::move(fd)),
      how_(options.how),
      agreement_(options.how == framing::stdio ? options.offload : offload_role::none),
      in_(options.how, options.read_bytes),
      out_(options.backlog_bytes) {
  widen_buffers(fd_.get());
  if (const auto first = agreement_.begin()) static_cast<void>(send_marker(*first));
}

base::result<std::size_t> stream_link::read() {
  frames_.clear();
  const auto room = in_.room();
  const auto got = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (got < 0 && is_temporary(errno)) return 0;
  if (got < 0) return base::fail_errno("read from the link");
  if (got == 0) return base::fail(std::errc::connection_aborted, "the link's peer has closed it");
  ++counters_.reads;
  in_.added(static_cast<std::size_t>(got));
  if (auto taken = take_frames(); !taken) return std::unexpected(taken.error());
  return frames_.size();
}

base::result<> stream_link::take_frames() {
  while (true) {
    const auto next = in_.next();
    if (!next) return std::unexpected(next.error());
    const auto& frame = *next;
    if (!frame) return {};
    if (auto taken = take(*frame); !taken) return taken;
  }
}

base::result<> stream_link::take(const received_frame& received) {
  if (!agreement_.receives()) {
    const auto outcome = agreement_.on_frame(received.frame);
    if (agreement_.receives()) in_.switch_to(framing::virtio);
    if (outcome.answer)
      if (auto sent = send_marker(*outcome.answer); !sent) return sent;
    if (outcome.consumed) return {};
  }
  ++counters_.frames_in;
  counters_.bytes_in += received.frame.size();
  frames_.push_back(received);
  return {};
}

base::result<> stream_link::send(bytes_view header, std::span<const bytes_view> parts) {
  return send_as(sending(), header, parts);
}

base::result<> stream_link::send_marker(marker m) {
  const std::array<bytes_view, 1> whole{marker_frame(m)};
  return send_as(framing::stdio, {}, whole);
}

base::result<> stream_link::send_as(framing how, bytes_view header, std::span<const bytes_view> parts) {
  const auto size = size_of(parts);
  if (size > largest_frame(how)) {
    ++counters_.oversized;
    return {};
  }
  if (out_.is_full())
    if (auto sent = flush(); !sent) return sent;
  ++counters_.frames_out;
  counters_.bytes_out += size;
  if (how != framing::virtio) {
    out_.add(make_prefix(how, size), parts);
    return {};
  }
  auto before = make_prefix(how, size + virtio_header_size);
  std::ranges::copy(header.empty() ? bytes_view(plain_header) : header, before.bytes.data() + before.size);
  before.size += virtio_header_size;  // the header is copied: the caller builds it for this call only
  out_.add(before, parts);
  return {};
}

base::result<> stream_link::flush() {
  if (out_.empty()) return {};
  msghdr message{};
  message.msg_iov = out_.to_write().data();
  message.msg_iovlen = out_.to_write().size();
  const auto sent = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  const int number = errno;
  ++counters_.writes;
  if (sent > 0) out_.written(static_cast<std::size_t>(sent));
  counters_.dropped += out_.keep_rest();
  if (sent < 0 && !is_temporary(number))
    return base::fail(std::error_code(number, std::system_category()), "write to the link");
  return {};
}

}  // namespace links
