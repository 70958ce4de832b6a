// tcp_questions: cuts the bytes of a TCP connection into messages, each behind a length of two bytes (RFC 1035, 4.2.2;
// RFC 7766). Owned by the connection. After an error the connection has to be closed.
//
// Bounds: a message of most_message bytes, far more than a question needs; two of them at a time in the buffer. So the
// owner takes all with next() before it reads more than most_message bytes again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/bytes.hpp"

namespace netstack::dns {

class tcp_questions {
 public:
  static constexpr std::size_t most_message = 4'096;

  // False: more bytes than may wait. Ends what next() yielded.
  [[nodiscard]] bool add(bytes_view bytes);
  // The next whole message; valid until the next call of add(). Nothing: it is not there yet, or the stream is broken.
  [[nodiscard]] std::optional<bytes_view> next();
  // A message of a length that no question has: shorter than a header, or too long.
  [[nodiscard]] bool is_broken() const { return broken_; }

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t taken_ = 0;
  bool broken_ = false;
};

// An answer behind its length. It has at most 65,535 bytes.
[[nodiscard]] std::vector<std::uint8_t> with_length(bytes_view answer);

}  // namespace netstack::dns
