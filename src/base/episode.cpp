#include "base/episode.hpp"

#include <utility>

namespace base::log {
namespace {

constexpr std::chrono::minutes between_reasons{1};

}  // namespace

void episode::note(const result<>& outcome, steady_time now) {
  if (outcome) {
    if (!began_) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *began_).count();
    info(component_, "{} ended after={}s", about_, seconds);
    began_.reset();
    reason_.clear();
    return;
  }
  const bool begins = !began_;
  const auto before = std::exchange(reason_, outcome.error().message());
  const bool new_reason = before != reason_;
  if (begins) began_ = now;
  if (!begins && (!new_reason || now - logged_ < between_reasons)) return;
  logged_ = now;
  warn(component_, "{}, retrying reason=\"{}\"", about_, reason_);
}

std::optional<std::uint64_t> throttle::admit(steady_time now) {
  if (!began_ || now - *began_ >= period_) {
    began_ = now;
    logged_ = 0;
  }
  if (logged_ == burst_) {
    ++suppressed_;
    return std::nullopt;
  }
  ++logged_;
  return std::exchange(suppressed_, 0);
}

}  // namespace base::log
