#include "base/episode.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "base/result.hpp"

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
    end(now);
    return;
  }
  reason_ = outcome.error().message();
  if (!is_due(now)) return;
  silent_ = false;
  logged_ = now;
  logged_reason_ = reason_;
  warn(component_, "{}, retrying reason=\"{}\"{}", about_, reason_, count(again_));
}

void episode::end(steady_time now) {
  if (!began_) return;
  if (!silent_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *began_).count();
    info(component_, "{} ended after={}s{}", about_, seconds, count(again_));
    ended_ = now;
  }
  began_.reset();
  reason_.clear();
}

bool episode::is_due(steady_time now) {
  if (!began_) {
    began_ = now;
    silent_ = ended_ && now - *ended_ < soon;
    if (silent_) ++again_;
    return !silent_;
  }
  if (silent_ && ended_) return now - *ended_ >= soon;
  return reason_ != logged_reason_ && now - logged_ >= between_reasons;
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
