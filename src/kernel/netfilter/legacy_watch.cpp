#include "kernel/netfilter/legacy_watch.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "async/clock.hpp"
#include "async/rest.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/lock_watch.hpp"
#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {
namespace {

constexpr std::chrono::milliseconds lock_delay{200};  // from a change to the exit of the program that made it
// Readings on suspicion of up to 100 ms take at most a hundredth of the time. Programs often run one after the other.
constexpr async::rest_limits between_suspicions{
    .share = 100, .least = std::chrono::milliseconds(200), .most = std::chrono::seconds(10)};

}  // namespace

legacy_watch::legacy_watch(const async::executor& where, legacy_watch_options options, std::string component)
    : options_(std::move(options)),
      component_(std::move(component)),
      seen_(read_sizes()),
      pause_(options_.poll_first),
      suspected_(!seen_) {
  if (auto lock = lock_watch::open(where, options_.lock)) lock_ = std::make_unique<lock_watch>(std::move(*lock));
}

std::optional<legacy_watch::sizes> legacy_watch::read_sizes() {
  const auto v4 = size_of_legacy_nat(family::ipv4), v6 = size_of_legacy_nat(family::ipv6);
  return v4 && v6 ? std::optional(sizes{*v4, *v6}) : std::nullopt;
}

void legacy_watch::begin_reading() {
  read_at_ = async::clock::now();
  seen_ = read_sizes();
  suspected_ = !seen_;
}

async::clock::time_point legacy_watch::suspicion_ends() const {
  return read_at_ + async::rest_after(took_, between_suspicions);
}

// True if a reading is due. A difference counts once. While the sizes are unknown a change is suspected.
bool legacy_watch::compare() {
  const auto now = read_sizes();
  suspected_ = suspected_ || !now;
  const bool differs = now != std::exchange(seen_, now);
  const bool is_due = suspected_ && async::clock::now() >= suspicion_ends();
  if (differs || is_due) {
    suspected_ = false;
    read_at_ = async::clock::now();  // the next suspicion counts from here, even if no reading follows
  }
  if (differs) pause_ = options_.poll_first;
  return differs || is_due;
}

async::task<> legacy_watch::changed() {
  while (true) {
    const bool released = co_await wait_for_sign();
    suspected_ = suspected_ || ((released || !lock_works()) && has_tables());
    const auto before = seen_;
    if (!compare()) continue;
    if (seen_ != before && !released && lock_works()) co_await check_lock();
    co_return;
  }
}

// True if a program has released the lock.
async::task<bool> legacy_watch::wait_for_sign() {
  auto when = async::clock::now() + options_.recheck;
  if (!lock_works()) {
    log_polling();
    when = async::clock::now() + pause_;
    pause_ = std::min(pause_ * 3 / 2, options_.poll_last);
  } else if (suspected_) {
    when = std::min(when, std::max(suspicion_ends(), async::clock::now()));
  }
  if (!lock_) {
    co_await async::sleep_until(when);
    co_return false;
  }
  const auto released = co_await async::until(when, lock_->changed());
  co_return released.has_value();
}

// A program that changes the tables by other means, or sees another /run, has another lock. Ours may be released soon.
async::task<> legacy_watch::check_lock() {
  const auto released = co_await async::within(lock_delay, lock_->changed());
  if (released) co_return;
  lock_missed_ = true;
  base::log::info(component_, "a table of iptables-legacy changed without its lock file={}", options_.lock.string());
}

void legacy_watch::log_polling() {
  if (std::exchange(logged_polling_, true)) return;
  base::log::info(component_, "polling iptables-legacy, changes are not announced first_ms={} last_ms={}",
                  options_.poll_first.count(), options_.poll_last.count());
}

}  // namespace netfilter
