// stream_link: one end of a link that is a stream: AF_VSOCK, a UNIX socket, QEMU's socket. Its owner is a data-plane
// thread (host-switch) or the loop of vm-switch; one thread uses it at a time.
//
// A turn of the owner, when the descriptor is readable or there is something to send:
//
//   read()     one recv(2) of up to a megabyte; frames() are views into what it read, until the next read()
//   send()     adds a frame to the list that leaves; its bytes stay where they are until flush()
//   flush()    one sendmsg(2) for all of them
//
// If the peer stops reading, flush() keeps bytes up to send_queue's bound, and drops and counts whole frames beyond it.
// is_blocked() is true then: the owner should accept no frames from elsewhere until the descriptor is writable and
// flush() has sent the backlog.
//
// Any error of read() or flush() ends the link: the owner destroys it. That includes end of file and an invalid length.
// This class logs nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"
#include "link/link_counters.hpp"
#include "link/offload_agreement.hpp"
#include "link/send_queue.hpp"

namespace links {

struct stream_options {
  framing how = framing::stdio;
  offload_role offload = offload_role::none;  // any other role requires framing::stdio
  std::size_t read_bytes = frame_reader::default_capacity;
  std::size_t backlog_bytes = send_queue::default_backlog;
};

class stream_link {
 public:
  // `fd`: a connected stream socket. Asks the kernel for larger buffers.
  stream_link(base::unique_fd fd, const stream_options& options);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Reads what has arrived, without waiting. Returns the number of frames(), which may be 0. connection_aborted: the
  // peer has closed the link.
  [[nodiscard]] base::result<std::size_t> read();
  [[nodiscard]] std::span<const received_frame> frames() const { return frames_; }

  // Queues a frame. `header`: virtio-net, or empty for a frame without offload; it is copied. Without takes_offload()
  // it is omitted, so the frame must not need it. `parts`: the frame, in at most send_queue::most_parts parts, which
  // must stay until flush(). A frame that is too long for the framing is dropped and counted.
  [[nodiscard]] base::result<> send(bytes_view header, std::span<const bytes_view> parts);
  // Sends the queued frames and the backlog, without waiting. Afterwards the arguments of send() are not used any more.
  [[nodiscard]] base::result<> flush();
  // There is a backlog: the peer does not read. The owner waits until fd() is writable and calls flush().
  [[nodiscard]] bool is_blocked() const { return out_.backlog() > 0; }
  [[nodiscard]] std::size_t backlog() const { return out_.backlog(); }  // bytes

  // Whether frames may be sent with a virtio-net header. Becomes true at most once, during read().
  [[nodiscard]] bool takes_offload() const { return agreement_.sends(); }
  [[nodiscard]] const link_counters& counters() const { return counters_; }

 private:
  base::result<> take_frames();
  base::result<> take(const received_frame& received);
  base::result<> send_as(framing how, bytes_view header, std::span<const bytes_view> parts);
  base::result<> send_marker(marker m);
  [[nodiscard]] framing sending() const { return agreement_.sends() ? framing::virtio : how_; }

  base::unique_fd fd_;
  framing how_;
  offload_agreement agreement_;
  frame_reader in_;
  send_queue out_;
  std::vector<received_frame> frames_;
  link_counters counters_;
};

}  // namespace links
