#include "relay/descriptor_budget.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <mutex>

namespace relay {
namespace {

constexpr std::size_t largest_reserve = 2'048;
constexpr std::size_t most_for_pipes = 64;
constexpr std::size_t where_unlimited = 1'048'576;

std::size_t index(descriptor_use use) { return static_cast<std::size_t>(use); }

std::size_t capped(descriptor_use use, std::size_t count) {
  return use == descriptor_use::pipe ? std::min(count, most_for_pipes) : count;
}

std::size_t limit_of_process() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return where_unlimited;
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace

descriptor_lease::~descriptor_lease() {
  if (budget_ != nullptr) budget_->give_back(use_, count_);
}

descriptor_budget::descriptor_budget(std::size_t limit)
    : reserve_(std::min(limit / 8, largest_reserve)),
      total_(limit - reserve_),
      guaranteed_{total_ / 4, total_ / 4, total_ / 8, capped(descriptor_use::pipe, total_ / 16)} {}

descriptor_budget& descriptor_budget::of_process() {
  static descriptor_budget own(limit_of_process());
  return own;
}

std::size_t descriptor_budget::available_locked(descriptor_use use) const {
  std::size_t spoken_for = 0;
  for (std::size_t i = 0; i < uses; ++i) spoken_for += i == index(use) ? used_[i] : std::max(used_[i], guaranteed_[i]);
  const auto left = total_ - std::min(total_, spoken_for), used = used_[index(use)];
  return capped(use, used + left) - used;
}

descriptor_lease descriptor_budget::take(descriptor_use use, std::size_t count) {
  const std::lock_guard hold(lock_);
  if (available_locked(use) < count) return {};
  used_[index(use)] += count;
  return {*this, use, count};
}

void descriptor_budget::give_back(descriptor_use use, std::size_t count) {
  const std::lock_guard hold(lock_);
  used_[index(use)] -= count;
}

std::size_t descriptor_budget::available(descriptor_use use) const {
  const std::lock_guard hold(lock_);
  return available_locked(use);
}

std::size_t descriptor_budget::guaranteed(descriptor_use use) const { return guaranteed_[index(use)]; }

std::size_t descriptor_budget::capacity(descriptor_use use) const {
  std::size_t others = 0;
  for (std::size_t i = 0; i < uses; ++i) others += i == index(use) ? 0 : guaranteed_[i];
  return capped(use, total_ - others);
}

}  // namespace relay
