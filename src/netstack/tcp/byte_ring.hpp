// byte_ring: bytes of a stream at their sequence number modulo the capacity, a power of two, so that the numbers may
// wrap. Owned by the send queue and the receive queue, which know which bytes are there. Memory is allocated by grow()
// and not initialised; a failure is std::bad_alloc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "netstack/bytes.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

class byte_ring {
 public:
  // The initial capacity. A ring of this size is freed as soon as it is empty.
  static constexpr std::size_t smallest = std::size_t{16} << 10U;

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // The place of `size` bytes at `at`; at most capacity(). The second slice is empty unless the place wraps around.
  [[nodiscard]] std::array<bytes_span, 2> slices(sequence at, std::size_t size);
  [[nodiscard]] std::array<bytes_view, 2> slices(sequence at, std::size_t size) const;
  void store(sequence at, bytes_view from);
  // Whether `slice` lies in the ring.
  [[nodiscard]] bool holds(bytes_view slice) const;
  // Makes the capacity at least `capacity`. The `size` bytes at `first` keep their content; a slice of them that did
  // not wrap does not wrap afterwards.
  void grow(std::size_t capacity, sequence first, std::size_t size);
  void release();

 private:
  [[nodiscard]] std::size_t offset(sequence at) const { return at.value & (capacity_ - 1); }

  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t capacity_ = 0;
};

}  // namespace netstack::tcp
