// sequence: a TCP sequence number. It wraps at 2^32, so "before" means less than half the space away (RFC 9293, 3.4).
#pragma once

#include <cstdint>

namespace netstack::tcp {

struct sequence {
  std::uint32_t value = 0;

  friend constexpr bool operator==(sequence, sequence) = default;
  friend constexpr sequence operator+(sequence a, std::uint32_t n) { return {a.value + n}; }
  friend constexpr sequence operator-(sequence a, std::uint32_t n) { return {a.value - n}; }
  sequence& operator+=(std::uint32_t n) {
    value += n;
    return *this;
  }

  // How far `b` is behind `a`: negative if it is ahead of it.
  friend constexpr std::int32_t operator-(sequence a, sequence b) {
    return static_cast<std::int32_t>(a.value - b.value);
  }
  friend constexpr bool operator<(sequence a, sequence b) { return a - b < 0; }
  friend constexpr bool operator<=(sequence a, sequence b) { return a - b <= 0; }
  friend constexpr bool operator>(sequence a, sequence b) { return a - b > 0; }
  friend constexpr bool operator>=(sequence a, sequence b) { return a - b >= 0; }
};

}  // namespace netstack::tcp
