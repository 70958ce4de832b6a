// framing: how Ethernet frames stand behind each other on a stream.
//
//   stdio     2 bytes little endian: the frame's length. host-switch and vm-switch, gvforwarder
//   qemu      4 bytes big endian: the frame's length. QEMU's -netdev stream and socket, passt
//   virtio    4 bytes big endian: the length of all that follows, which is a virtio-net header of 10 bytes and the
//             frame. Between our own ends alone, after both have agreed (offload_agreement.hpp)
//
// frame_reader is the buffer of the incoming side. It takes bytes in any pieces and hands out whole frames where they
// lie, without a copy. Only the part of a frame at the end of a read is moved, to the front of the buffer. The length of
// a frame is bounded; a length that lies ends the link. Pure; owned by stream_link.
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

// The longest frame, in bytes: with 2 bytes of length 65,535; otherwise the buffer of QEMU (net/net.h, NET_BUFSIZE).
[[nodiscard]] constexpr std::size_t largest_frame(framing how) { return how == framing::stdio ? 65'535 : 69'632; }
[[nodiscard]] constexpr std::size_t prefix_size(framing how) { return how == framing::stdio ? 2 : 4; }

// What stands before a frame: its length and, with offload, its virtio-net header.
struct prefix {
  std::array<std::uint8_t, largest_prefix + virtio_header_size> bytes{};
  std::size_t size = 0;
};
// `length`: of all that follows the prefix.
[[nodiscard]] prefix make_prefix(framing how, std::size_t length);

// One frame of a stream; views into what was read.
struct received_frame {
  bytes_view header;  // virtio-net, directly in front of the frame; empty without offload
  bytes_view frame;
};

class frame_reader {
 public:
  static constexpr std::size_t default_capacity = std::size_t{1} << 20U;

  // `capacity` in bytes: of the buffer, and so of one read; more than the largest frame.
  explicit frame_reader(framing how, std::size_t capacity = default_capacity);

  // Where the next bytes go; never empty. Frames that were handed out are gone after this.
  [[nodiscard]] bytes_span room();
  // `count` bytes have been written to the front of room().
  void added(std::size_t count) { end_ += count; }
  // The next whole frame, or nothing. An error is final: the length is one that no peer sends.
  [[nodiscard]] base::result<std::optional<received_frame>> next();

  // For the bytes behind the last frame that was handed out.
  void switch_to(framing how) { how_ = how; }
  [[nodiscard]] framing how() const { return how_; }

 private:
  framing how_;
  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what was read and not handed out yet
};

}  // namespace links
