#include "base/episode.hpp"

#include <utility>

namespace base::log {
namespace {

constexpr std::chrono::minutes between_reasons{1};
constexpr std::chrono::seconds soon{10};

std::string count(std::uint64_t& again) {
  const auto number = std::exchange(again, 0);
  return number == 0 ? "" : fmt::format(" again={}", number);
}

}  // namespace

void episode::note(const result<>& outcome, steady_time now) {
  if (outcome) {
    if (!began_) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *began_).count();
    if (!silent_) {
      info(component_, "{} ended after={}s{}", about_, seconds, count(again_));
      ended_ = now;
    }
    began_.reset();
    reason_.clear();
    return;
  }
  const bool begins = !began_;
  const auto before = std::exchange(reason_, outcome.error().message());
  const bool new_reason = before != reason_;
  if (begins) {
    began_ = now;
    silent_ = ended_ && now - *ended_ < soon;
    if (silent_) ++again_;
  }
  // One that began again soon and lasts is logged after all.
  const bool lasts = silent_ && now - *ended_ >= soon;
  const bool due = begins ? !silent_ : lasts || (!silent_ && new_reason && now - logged_ >= between_reasons);
  if (!due) return;
  silent_ = false;
  logged_ = now;
  warn(component_, "{}, retrying reason=\"{}\"{}", about_, reason_, count(again_));
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
