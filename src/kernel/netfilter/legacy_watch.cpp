#include "kernel/netfilter/legacy_watch.hpp"

#include <algorithm>

#include "async/timeout.hpp"
#include "base/log.hpp"

namespace netfilter {
namespace {

constexpr const char* component = "iptables";
constexpr std::chrono::milliseconds lock_delay{200};   // from a change to the end of the program that made it
constexpr int doubt_share = 100;                       // readings for nothing take a hundredth of the time at most …
constexpr std::chrono::milliseconds least_doubt{200};  // … and programs often come one behind the other

}  // namespace

legacy_watch::legacy_watch(const async::executor& where, legacy_watch_options options)
    : options_(std::move(options)), seen_(look()), pause_(options_.poll_first), in_doubt_(!seen_) {
  if (auto lock = lock_watch::open(where, options_.lock)) lock_.emplace(std::move(*lock));
}

std::optional<legacy_watch::sizes> legacy_watch::look() {
  const auto v4 = size_of_legacy_nat(family::ipv4), v6 = size_of_legacy_nat(family::ipv6);
  return v4 && v6 ? std::optional(sizes{*v4, *v6}) : std::nullopt;
}

void legacy_watch::begin_reading() {
  read_at_ = async::clock::now();
  seen_ = look();
  in_doubt_ = !seen_;
}

async::clock::time_point legacy_watch::doubt_ends() const {
  return read_at_ + std::max<async::clock::duration>(least_doubt, doubt_share * took_);
}

// A difference counts once. Sizes that cannot be learnt leave a doubt for as long as that lasts.
bool legacy_watch::is_news() {
  const auto now = look();
  in_doubt_ = in_doubt_ || !now;
  const bool news = now != std::exchange(seen_, now);
  const bool doubt_ended = in_doubt_ && async::clock::now() >= doubt_ends();
  if (news || doubt_ended) {
    in_doubt_ = false;
    read_at_ = async::clock::now();  // the next doubt begins now, also where the notice is not followed by a reading
  }
  if (news) pause_ = options_.poll_first;
  return news || doubt_ended;
}

async::task<> legacy_watch::changed() {
  while (true) {
    const bool released = co_await wait_for_sign();
    in_doubt_ = in_doubt_ || ((released || !lock_tells()) && has_tables());
    const auto before = seen_;
    if (!is_news()) continue;
    if (seen_ != before && !released && lock_tells()) co_await check_lock();
    co_return;
  }
}

// True if the lock has told of a program's end.
async::task<bool> legacy_watch::wait_for_sign() {
  auto when = async::clock::now() + options_.look;
  if (!lock_tells()) {
    log_polling();
    when = async::clock::now() + pause_;
    pause_ = std::min(pause_ * 3 / 2, options_.poll_last);
  } else if (in_doubt_) {
    when = std::min(when, std::max(doubt_ends(), async::clock::now()));
  }
  if (!lock_) {
    co_await async::sleep_until(when);
    co_return false;
  }
  const auto told = co_await async::until(when, lock_->changed());
  co_return told.has_value();
}

// Whoever changes the tables by other means, or sees another /run, has another lock. Ours may be about to tell.
async::task<> legacy_watch::check_lock() {
  const auto told = co_await async::within(lock_delay, lock_->changed());
  if (told) co_return;
  lock_missed_ = true;
  base::log::info(component, "a table of iptables-legacy has changed without the lock {}", options_.lock.string());
}

void legacy_watch::log_polling() {
  if (std::exchange(told_of_polling_, true)) return;
  base::log::info(component, "nothing announces changes of iptables-legacy here, looking every {} to {} ms",
                  options_.poll_first.count(), options_.poll_last.count());
}

}  // namespace netfilter
