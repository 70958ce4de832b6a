// send_queue: the frames that leave a stream in one turn, as one list of buffers for writev(2). The bytes of a frame stay
// where they are until the turn ends. If the stream takes only a part of them, the rest of a partly written frame is
// copied: it must follow, or the peer loses its place. Whole frames behind it are copied as well, up to a bound; beyond
// it they are dropped and counted, as a full queue of a network card does. Pure; owned by stream_link.
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
  static constexpr std::size_t most_buffers = 1024;                      // UIO_MAXIOV, the most that writev takes
  static constexpr std::size_t most_parts = 8;                           // of one frame
  static constexpr std::size_t enough_bytes = std::size_t{1} << 20U;     // for one turn
  static constexpr std::size_t default_backlog = std::size_t{1} << 20U;  // bytes that are kept from turn to turn

  // `backlog`: bytes of whole frames that are kept for a stream that does not take them.
  explicit send_queue(std::size_t backlog = default_backlog);

  // Adds one frame: its prefix and its parts, most_parts at most. They must stay until keep_rest(). `is_full()` before.
  void add(const prefix& before, std::span<const bytes_view> parts);

  // Whether to write before anything is added.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool empty() const { return buffers_.empty(); }
  // Bytes that wait because the stream did not take them.
  [[nodiscard]] std::size_t backlog() const { return kept_.size() - kept_sent_; }

  // For writev. Empty if nothing is to be sent.
  [[nodiscard]] std::span<iovec> to_write() { return std::span(buffers_).subspan(first_); }
  // The stream took that many bytes of to_write().
  void written(std::size_t count);
  // Ends the turn: what was not written is copied. Returns the number of frames that were dropped.
  std::size_t keep_rest();

 private:
  struct queued_frame {
    std::size_t end = 0;   // index behind its last buffer
    std::size_t size = 0;  // with its prefix, in bytes
    prefix before;
  };
  void begin_turn();
  void drop_written_from_kept();
  // Copies a frame's buffers that are not written yet.
  void keep(std::size_t from, std::size_t to);
  [[nodiscard]] std::size_t unwritten(std::size_t from, std::size_t to) const;

  std::size_t most_kept_;
  std::vector<iovec> buffers_;        // what was kept, if anything, and then the frames of this turn
  std::vector<queued_frame> frames_;  // never grows beyond its first capacity: buffers_ points to the prefixes
  std::size_t first_ = 0;             // the first buffer that is not written
  std::size_t added_bytes_ = 0;       // in this turn
  bool has_kept_ = false;             // the first buffer is kept_
  std::vector<std::uint8_t> kept_;
  std::size_t kept_sent_ = 0;
};

}  // namespace links
