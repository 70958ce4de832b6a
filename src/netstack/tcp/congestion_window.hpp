// congestion_window: how many bytes may be in flight when segments get lost.
//
// Theory of operation. On a link to a VM the peer's window usually limits a flow. A loss means that a queue of the VM
// is full: many flows at once, or a container behind a slow bridge. The window is then reduced to seven tenths (RFC
// 9438, 4.6) and grows again by an eighth each round trip, far faster than RFC 5681 allows on the Internet: a round
// trip takes microseconds, and no other sender's traffic shares the queue. It starts at 64 KiB and doubles each round
// trip until the first loss. After a time-out it restarts at its floor and doubles up to half of what was in flight. A
// loss that turns out to be reordering (RFC 2883: each repeated segment is reported as a duplicate) is undone.
//
// Owned by tcp::sender. All sizes are bytes.
#pragma once

#include <cstddef>

namespace netstack::tcp {

class congestion_window {
 public:
  static constexpr std::size_t initial = std::size_t{64} << 10U;
  static constexpr std::size_t most = std::size_t{16} << 20U;

  // `floor`: the window never falls below it.
  explicit congestion_window(std::size_t floor) : floor_(floor) {}

  [[nodiscard]] std::size_t size() const { return size_ < floor_ ? floor_ : size_; }
  // `in_flight`: before the acknowledgement came.
  void acknowledged(std::size_t bytes, std::size_t in_flight);
  // `in_flight`: when the loss was detected, including the lost bytes.
  void lost(std::size_t in_flight);
  void timed_out(std::size_t in_flight);
  // The last loss was reordering.
  void undo();

 private:
  std::size_t floor_;
  std::size_t size_ = initial;
  std::size_t threshold_ = most;  // below it the window doubles
  std::size_t before_ = initial;
  std::size_t threshold_before_ = most;
};

}  // namespace netstack::tcp
