// http2_session: one HTTP/2 connection as a client has it, over nghttp2. Pure: bytes and requests in, bytes and events
// out. Owned by grpc_connection, which moves the bytes.
//
// Flow control: the bytes of an answer count against its stream's window until they are consumed(); the connection's
// window is always open, so one slow reader does not delay the others. Bounded: a header's size, the frames that wait
// to be sent (answers to pings and settings, resets), and by its window what a stream receives at a time.
//
// A failed session stays so. GOAWAY is a failure: its calls are asked again on a new connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace containerd {

using http2_fields = std::map<std::string, std::string, std::less<>>;

inline constexpr std::size_t most_header_bytes = 16 << 10;  // of the fields, with 32 for each, as HTTP/2 counts

// fields: the header of an answer, or its trailers. closed: the last event of its stream.
struct http2_event {
  enum class kind : std::uint8_t { fields, data, closed };
  kind what = kind::closed;
  std::int32_t stream = 0;
  http2_fields fields{};
  std::string text{};      // the bytes of `data`; why it is `closed`, empty for a whole answer
  bool cancelled = false;  // `closed` by RST_STREAM with CANCEL
};

class http2_session {
 public:
  http2_session();
  http2_session(const http2_session&) = delete;
  http2_session& operator=(const http2_session&) = delete;
  ~http2_session();

  // Begins a request; returns its stream. The order of the fields is kept: those with a colon come first.
  base::result<std::int32_t> request(const std::vector<std::pair<std::string, std::string>>& fields, std::string body);
  // The answer is no longer wanted. Any event may still come.
  void cancel(std::int32_t stream);
  void consumed(std::int32_t stream, std::size_t bytes);

  // Bytes from the peer. Fails if they end the connection; the events before that still count.
  base::result<> receive(std::string_view bytes);
  // The bytes to send next, less than 32 KiB; empty: none at present.
  base::result<std::string> take_output();
  // What receive() and take_output() have caused.
  [[nodiscard]] std::vector<http2_event> take_events();

 private:
  struct callbacks;
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace containerd
