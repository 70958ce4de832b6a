// datagram_link: one end of a link that carries each frame as one datagram: SOCK_SEQPACKET ("bess"), or SOCK_DGRAM over
// UNIX sockets ("vfkit", unixgram). Ownership and turns are those of stream_link.
//
// A SOCK_DGRAM socket that is bound but not connected takes the sender of the first datagram as its peer. It counts and
// drops datagrams from other senders while the peer's socket exists. After that, the next sender becomes the peer: a
// restarted VM binds another name. The datagram "VFKT", vfkit's greeting, is not a frame.
//
// A datagram is sent whole or not at all. Datagrams that do not fit the peer's queue are copied and kept up to a bound;
// beyond it frames are dropped and counted. For an unconnected socket epoll reports room although the peer's queue is
// full.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"
#include "link/link_counters.hpp"
#include "net/endpoint.hpp"

namespace links {

class datagram_link {
 public:
  static constexpr std::size_t most_frames = 64;  // per read, and per write
  static constexpr std::size_t most_parts = 8;    // per frame
  static constexpr std::size_t default_backlog = std::size_t{1} << 20U;

  // `backlog`: bytes of frames to keep for a peer that does not read.
  explicit datagram_link(base::unique_fd fd, std::size_t backlog = default_backlog);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // As in stream_link. Only SOCK_SEQPACKET reports the peer's end; with SOCK_DGRAM the next write fails instead, or a
  // datagram from the next peer arrives.
  [[nodiscard]] base::result<std::size_t> read();
  [[nodiscard]] std::span<const received_frame> frames() const { return frames_; }
  [[nodiscard]] base::result<> send(std::span<const bytes_view> parts);
  [[nodiscard]] base::result<> flush();
  [[nodiscard]] bool is_blocked() const { return !kept_.empty(); }
  [[nodiscard]] std::size_t backlog() const { return kept_bytes_; }
  [[nodiscard]] const link_counters& counters() const { return counters_; }

 private:
  struct sender {
    net::socket_address at;
    bool operator==(const sender& other) const;
  };
  [[nodiscard]] bool is_from_peer(std::size_t i);
  [[nodiscard]] bool may_be_peer(const sender& s);
  [[nodiscard]] bool is_frame(std::size_t i);
  base::result<std::size_t> write(std::span<mmsghdr> messages);
  base::result<> write_kept();
  void keep_from(std::size_t first);

  base::unique_fd fd_;
  bool learns_peer_ = false;  // unconnected SOCK_DGRAM
  std::optional<sender> peer_;
  bool peer_lives_ = false;  // as this read has found
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::array<iovec, most_frames> rooms_{};
  std::array<sender, most_frames> senders_{};
  std::array<mmsghdr, most_frames> arriving_{};
  std::vector<received_frame> frames_;

  std::vector<iovec> parts_;      // of the frames of this turn; never grows beyond its initial capacity
  std::vector<mmsghdr> leaving_;  // the same
  std::size_t most_kept_, kept_bytes_ = 0;
  std::deque<std::vector<std::uint8_t>> kept_;
  link_counters counters_;
};

}  // namespace links
