// send_queue: the frames that a stream sends in one turn, as one list of buffers for writev(2). Nothing is copied
// before the turn ends. If the stream accepts only some of the bytes, the rest of a partly written frame is copied: it
// must follow, or the peer loses its place. Whole frames after it are copied as well, up to a bound; beyond it they are
// dropped and counted, like those beyond the full queue of a network card. Pure; owned by stream_link.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "link/framing.hpp"

namespace links {

class send_queue {
 public:
  static constexpr std::size_t most_buffers = 1024;                     // UIO_MAXIOV, the most that writev takes
  static constexpr std::size_t most_parts = 8;                          // per frame
  static constexpr std::size_t enough_bytes = std::size_t{256} << 10U;  // per write: the processor's cache holds it
  // Bytes kept from turn to turn. A turn may be several writes: a stream that blocks in its middle loses no frame.
  static constexpr std::size_t default_backlog = (std::size_t{1} << 20U) + (std::size_t{128} << 10U);

  // `backlog`: bytes of whole frames to keep for a stream that does not accept them.
  explicit send_queue(std::size_t backlog = default_backlog);

  // Adds one frame: its prefix and at most most_parts parts, which must stay until keep_rest(). Check is_full() first.
  void add(const prefix& before, std::span<const bytes_view> parts);

  // Whether to write before the next frame is added.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool empty() const { return buffers_.empty(); }
  // Bytes that wait because the stream did not accept them.
  [[nodiscard]] std::size_t backlog() const { return kept_.size() - kept_sent_; }

  // For writev. Empty if there is nothing to send.
  [[nodiscard]] std::span<iovec> to_write() { return std::span(buffers_).subspan(first_); }
  // The stream accepted that many bytes of to_write().
  void written(std::size_t count);
  // Ends the turn: copies what was not written. Returns the number of dropped frames.
  std::size_t keep_rest();

 private:
  struct queued_frame {
    std::size_t end = 0;   // index after its last buffer
    std::size_t size = 0;  // with its prefix, in bytes
    prefix before;
  };
  void begin_turn();
  void drop_written_from_kept();
  // Copies a frame's buffers that are not written yet.
  void keep(std::size_t from, std::size_t to);
  [[nodiscard]] std::size_t unwritten(std::size_t from, std::size_t to) const;

  std::size_t most_kept_;
  std::vector<iovec> buffers_;        // kept bytes, if any, and then the frames of this turn
  std::vector<queued_frame> frames_;  // never grows beyond its initial capacity: buffers_ points to the prefixes
  std::size_t first_ = 0;             // the first buffer that is not written
  std::size_t added_bytes_ = 0;       // in this turn
  bool has_kept_ = false;             // the first buffer is kept_
  std::vector<std::uint8_t> kept_;
  std::size_t kept_sent_ = 0;
};

}  // namespace links
