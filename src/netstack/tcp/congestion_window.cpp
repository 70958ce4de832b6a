#include "netstack/tcp/congestion_window.hpp"

#include <algorithm>
#include <cstddef>

namespace netstack::tcp {

void congestion_window::acknowledged(std::size_t bytes, std::size_t in_flight) {
  if (in_flight < size() / 2) return;  // the window does not limit the flow
  const auto more = size_ < threshold_ ? bytes : std::max<std::size_t>(bytes / 8, 1);
  size_ = std::min(size() + more, most);
}

void congestion_window::lost(std::size_t in_flight) {
  before_ = size();
  threshold_before_ = threshold_;
  size_ = std::max(std::min(in_flight, size()) * 7 / 10, floor_);
  threshold_ = size_;
}

void congestion_window::timed_out(std::size_t in_flight) {
  before_ = size();
  threshold_before_ = threshold_;
  threshold_ = std::max(in_flight / 2, floor_);
  size_ = floor_;
}

void congestion_window::undo() {
  size_ = std::max(size_, before_);
  threshold_ = threshold_before_;
}

}  // namespace netstack::tcp
