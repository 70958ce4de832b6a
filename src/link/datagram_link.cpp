#include "link/datagram_link.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <expected>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"
#include "link/socket_buffers.hpp"
#include "net/endpoint.hpp"
#include "os/socket_facts.hpp"

namespace links {
namespace {

constexpr std::size_t room = largest_frame(framing::qemu);
constexpr std::string_view greeting = "VFKT";

bool is_connected(int fd) {
  net::socket_address peer;
  return ::getpeername(fd, peer.get(), &peer.size) == 0;
}

}  // namespace

bool datagram_link::sender::operator==(const sender& other) const {
  return at.size == other.at.size && std::memcmp(&at.storage, &other.at.storage, at.size) == 0;
}

datagram_link::datagram_link(base::unique_fd fd, std::size_t backlog)
    : fd_(std::move(fd)),
      learns_peer_(os::socket_type(fd_.get()) == SOCK_DGRAM && !is_connected(fd_.get())),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(most_frames * room)),
      most_kept_(backlog) {
  widen_buffers(fd_.get());
  frames_.reserve(most_frames);
  parts_.reserve(most_frames * most_parts);
  leaving_.reserve(most_frames);
  for (std::size_t i = 0; i < most_frames; ++i) rooms_[i] = {buffer_.get() + i * room, room};
}

// Whether there is no peer, or no longer: what was kept for it is dropped. The kernel is asked once for each read, so
// that a stranger's flood costs little.
bool datagram_link::may_be_peer(const sender& s) {
  if (s.at.size <= sizeof(sa_family_t) || peer_lives_) return false;  // one without a name gets no answer
  peer_lives_ = peer_ && os::is_bound(peer_->at);
  if (peer_lives_) return false;
  counters_.dropped += kept_.size();
  kept_.clear();
  kept_bytes_ = 0;
  return true;
}

bool datagram_link::is_from_peer(std::size_t i) {
  if (!learns_peer_) return true;
  auto& from = senders_[i];
  from.at.size = arriving_[i].msg_hdr.msg_namelen;
  if (peer_ == from) return true;
  if (may_be_peer(from)) {
    peer_ = from;
    return true;
  }
  ++counters_.strangers;
  return false;
}

bool datagram_link::is_frame(std::size_t i) {
  if (!is_from_peer(i)) return false;
  if ((arriving_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
    ++counters_.oversized;
    return false;
  }
  return arriving_[i].msg_len != greeting.size() ||
         std::memcmp(rooms_[i].iov_base, greeting.data(), greeting.size()) != 0;
}

base::result<std::size_t> datagram_link::read() {
  frames_.clear();
  peer_lives_ = false;
  for (std::size_t i = 0; i < most_frames; ++i) {  // each time anew: the link may have moved
    auto& header = arriving_[i].msg_hdr;
    header.msg_iov = &rooms_[i];
    header.msg_iovlen = 1;
    header.msg_name = learns_peer_ ? senders_[i].at.get() : nullptr;
    header.msg_namelen = learns_peer_ ? sizeof senders_[i].at.storage : 0;
  }
  const int got = ::recvmmsg(fd_.get(), arriving_.data(), most_frames, MSG_DONTWAIT, nullptr);
  if (got < 0 && is_temporary(errno)) return 0;
  if (got < 0) return base::fail_errno("read from the link");
  ++counters_.reads;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    const auto size = arriving_[i].msg_len;
    // An empty datagram of SOCK_SEQPACKET is its end; a frame is never empty.
    if (size == 0 && !learns_peer_) return base::fail(std::errc::connection_aborted, "the link's peer has closed it");
    if (!is_frame(i)) continue;
    ++counters_.frames_in;
    counters_.bytes_in += size;
    frames_.push_back({{}, {static_cast<const std::uint8_t*>(rooms_[i].iov_base), size}});
  }
  return frames_.size();
}

base::result<> datagram_link::send(std::span<const bytes_view> parts) {
  if (learns_peer_ && !peer_) {  // no peer yet
    ++counters_.dropped;
    return {};
  }
  if (leaving_.size() == most_frames)
    if (auto sent = flush(); !sent) return sent;
  auto& message = leaving_.emplace_back();
  message.msg_hdr.msg_iov = parts_.data() + parts_.size();
  std::size_t size = 0;
  for (const auto part : parts.first(std::min(parts.size(), most_parts))) {
    parts_.push_back({const_cast<std::uint8_t*>(part.data()), part.size()});  // iovec has no const variant
    size += part.size();
  }
  message.msg_hdr.msg_iovlen = std::min(parts.size(), most_parts);
  if (peer_) {
    message.msg_hdr.msg_name = peer_->at.get();
    message.msg_hdr.msg_namelen = peer_->at.size;
  }
  ++counters_.frames_out;
  counters_.bytes_out += size;
  return {};
}

// Returns how many were sent. An error that concerns one frame alone, its size, drops only that frame.
base::result<std::size_t> datagram_link::write(std::span<mmsghdr> messages) {
  std::size_t done = 0;
  while (done < messages.size()) {
    const auto sent = ::sendmmsg(fd_.get(), &messages[done], static_cast<unsigned>(messages.size() - done),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    ++counters_.writes;
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EMSGSIZE) {
      ++counters_.oversized;
      ++done;
    } else if (is_temporary(errno)) {
      return done;
    } else {
      return base::fail_errno("write to the link");
    }
  }
  return done;
}

base::result<> datagram_link::write_kept() {
  while (!kept_.empty()) {
    iovec whole{kept_.front().data(), kept_.front().size()};
    mmsghdr message{};
    message.msg_hdr.msg_iov = &whole;
    message.msg_hdr.msg_iovlen = 1;
    if (peer_) {
      message.msg_hdr.msg_name = peer_->at.get();
      message.msg_hdr.msg_namelen = peer_->at.size;
    }
    const auto sent = write({&message, 1});
    if (!sent) return std::unexpected(sent.error());
    if (*sent == 0) return {};
    kept_bytes_ -= kept_.front().size();
    kept_.pop_front();
  }
  return {};
}

void datagram_link::keep_from(std::size_t first) {
  for (auto i = first; i < leaving_.size(); ++i) {
    const std::span parts(leaving_[i].msg_hdr.msg_iov, leaving_[i].msg_hdr.msg_iovlen);
    std::vector<std::uint8_t> whole;
    for (const auto& part : parts) {
      const auto* bytes = static_cast<const std::uint8_t*>(part.iov_base);
      whole.insert(whole.end(), bytes, bytes + part.iov_len);
    }
    if (kept_bytes_ + whole.size() > most_kept_) {
      ++counters_.dropped;
      continue;
    }
    kept_bytes_ += whole.size();
    kept_.push_back(std::move(whole));
  }
}

base::result<> datagram_link::flush() {
  auto done = write_kept();
  std::size_t sent = 0;
  if (done && kept_.empty()) {
    const auto written = write(leaving_);
    if (!written) done = std::unexpected(written.error());
    sent = written.value_or(0);
  }
  if (done) keep_from(sent);
  leaving_.clear();
  parts_.clear();
  return done;
}

}  // namespace links
