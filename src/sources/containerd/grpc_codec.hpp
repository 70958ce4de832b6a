// grpc_codec: gRPC's messages and outcomes as HTTP/2 carries them. Pure and total.
//
//   message   one byte: 0, or 1 for a compressed one · four bytes: its length · the message
//   outcome   the fields grpc-status (a number, 0 is success) and grpc-message (percent-encoded), at the answer's end
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sources/containerd/http2_session.hpp"

namespace containerd {

inline constexpr std::size_t longest_message = 64 << 20;

// The message with its prefix.
[[nodiscard]] std::string frame_message(std::string_view message);

// The value of grpc-timeout, which has at most eight digits.
[[nodiscard]] std::string timeout_text(std::chrono::milliseconds timeout);

// An outcome as an error: grpc-status 5 (not found) is no_such_file_or_directory, and 4 (deadline exceeded) is
// timed_out. All others have a text and no code.
[[nodiscard]] base::error to_error(std::string_view status, std::string_view message);

// Cuts a stream of bytes into messages. Holds one message that is incomplete.
class message_splitter {
 public:
  void feed(std::string_view bytes);
  // The next message; nothing if it is incomplete. Fails on a compressed message, and on one that is too long.
  [[nodiscard]] base::result<std::optional<std::string>> next();
  [[nodiscard]] bool empty() const { return begin_ == bytes_.size(); }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;  // of what next() has not returned
};

// The answer to one call, from the events of its HTTP/2 stream. Owned by grpc_call. Whole messages wait until they are
// taken, and count against the stream's window meanwhile: a caller that takes none slows the server down.
class grpc_answer {
 public:
  void add(const http2_event& e);
  // The connection has ended: the call's outcome if it has none.
  void fail(base::error why);

  // The next message, if one waits.
  [[nodiscard]] std::optional<std::string> take();
  // Nothing waits, and nothing comes any more.
  [[nodiscard]] bool over() const { return outcome_ && messages_.empty(); }
  // Once the answer is over.
  [[nodiscard]] base::result<> outcome() const { return outcome_.value_or(base::fail("the call has not ended")); }
  // The server has ended it by RST_STREAM with CANCEL.
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  // Received bytes that no longer count against the window; each is returned once.
  [[nodiscard]] std::size_t take_credit();

 private:
  void add_fields(const http2_fields& fields);
  void add_bytes(std::string_view bytes);
  void close(const std::string& why);

  message_splitter splitter_;
  std::deque<std::string> messages_;
  std::optional<base::result<>> outcome_;
  bool begun_ = false;  // its header has come
  bool cancelled_ = false;
  std::string status_, message_;
  std::size_t held_ = 0;
};

}  // namespace containerd
