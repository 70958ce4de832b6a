// framing: how Ethernet frames are delimited on a stream.
//
//   stdio     2 bytes little endian: the frame's length. host-switch and vm-switch, gvforwarder
//   qemu      4 bytes big endian: the frame's length. QEMU's -netdev stream and socket, passt
//   virtio    4 bytes big endian: the length of what follows, a virtio-net header of 10 bytes and the frame. Only
//             between our own ends, after both have agreed (offload_agreement.hpp)
//
// frame_reader buffers the incoming side. It accepts bytes in pieces of any size and returns whole frames in place,
// without a copy. Only a partial frame at the end of a read is moved, to the front of the buffer. The length of a frame
// is bounded; an invalid length ends the link. Pure; owned by stream_link.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "netstack/bytes.hpp"

namespace links {

using netstack::bytes_span;
using netstack::bytes_view;

enum class framing : std::uint8_t { stdio, qemu, virtio };

inline constexpr std::size_t largest_prefix = 4;
inline constexpr std::size_t virtio_header_size = 10;  // struct virtio_net_hdr of linux/virtio_net.h

// The longest frame, in bytes: 65,535 with a length of 2 bytes; otherwise QEMU's buffer (net/net.h, NET_BUFSIZE).
[[nodiscard]] constexpr std::size_t largest_frame(framing how) { return how == framing::stdio ? 65'535 : 69'632; }
[[nodiscard]] constexpr std::size_t prefix_size(framing how) { return how == framing::stdio ? 2 : 4; }

// What precedes a frame: its length and, with offload, its virtio-net header.
struct prefix {
  std::array<std::uint8_t, largest_prefix + virtio_header_size> bytes{};
  std::size_t size = 0;
};
// `length`: of everything after the prefix.
[[nodiscard]] prefix make_prefix(framing how, std::size_t length);

// One frame of a stream; views into the buffer.
struct received_frame {
  bytes_view header;  // virtio-net, directly in front of the frame; empty without offload
  bytes_view frame;
};

class frame_reader {
 public:
  static constexpr std::size_t default_capacity = std::size_t{256} << 10U;

  // `capacity`: the buffer's size in bytes, which bounds one read; more than the largest frame.
  explicit frame_reader(framing how, std::size_t capacity = default_capacity);

  // Space for the next bytes; never empty. Invalidates the frames that next() has returned.
  [[nodiscard]] bytes_span room();
  // `count` bytes have been written to the front of room().
  void added(std::size_t count) { end_ += count; }
  // The next whole frame, or nullopt. An error is final: no peer sends that length.
  [[nodiscard]] base::result<std::optional<received_frame>> next();

  // For the bytes after the last frame that next() has returned.
  void switch_to(framing how) { how_ = how; }
  [[nodiscard]] framing how() const { return how_; }

 private:
  framing how_;
  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // bytes that were read and not returned yet
};

}  // namespace links
