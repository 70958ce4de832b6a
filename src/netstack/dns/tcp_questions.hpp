// tcp_questions: splits the bytes of a TCP connection into messages, each with a length of two bytes in front (RFC
// 1035, 4.2.2; RFC 7766). Owned by the connection. After an error the connection has to be closed.
//
// Bounds: a message of most_message bytes, far more than a question needs; two of them at a time in the buffer. So the
// owner must take all messages with next() before it adds another most_message bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/bytes.hpp"

namespace netstack::dns {

class tcp_questions {
 public:
  static constexpr std::size_t most_message = 4'096;

  // False: the bytes exceed the buffer. Invalidates what next() returned.
  [[nodiscard]] bool add(bytes_view bytes);
  // The next whole message; valid until the next add(). nullopt: it is not complete, or the stream is broken.
  [[nodiscard]] std::optional<bytes_view> next();
  // The length of a message is invalid: shorter than a header, or too long.
  [[nodiscard]] bool is_broken() const { return broken_; }

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t taken_ = 0;
  bool broken_ = false;
};

// An answer with its length in front. It has at most 65,535 bytes.
[[nodiscard]] std::vector<std::uint8_t> with_length(bytes_view answer);

}  // namespace netstack::dns
