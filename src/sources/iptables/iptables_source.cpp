#include "sources/iptables/iptables_source.hpp"

#include <algorithm>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "io/task_group.hpp"

namespace iptables {
namespace {

using namespace std::chrono_literals;

constexpr const char* component = "iptables";
constexpr base::backoff retry{50ms, 2000ms, 0.0};
constexpr auto least_pause = 5ms;
constexpr auto lock_delay = 200ms;    // from a change to the end of the program that made it
constexpr int reading_share = 10;     // of the time while there is reason to read …
constexpr int polling_share = 1'000;  // … and without any

}  // namespace

iptables_source::iptables_source(const io::executor& where, iptables_options options)
    : options_(std::move(options)), changed_(where), pause_(options_.poll_first) {
  if (auto rules = netlink::change_watch::open(where, {.addresses = false, .gathering = 0ms}))
    rules_.emplace(std::move(*rules));
  if (auto lock = netfilter::lock_watch::open(where, options_.lock)) lock_.emplace(std::move(*lock));
}

io::task<> iptables_source::run(ports::source_feed& feed) {
  io::task_group tasks(co_await io::asio::this_coro::executor);
  if (rules_) tasks.spawn("rule changes", follow_watch(*rules_));
  if (lock_) tasks.spawn("iptables lock", follow_watch(*lock_));
  tasks.spawn("rules", follow(feed));
  co_await tasks.join_or_stop();
}

template <class Watch>
io::task<> iptables_source::follow_watch(Watch& watch) {
  while (true) {
    co_await watch.changed();
    woken_ = true;
    changed_.notify_all();
  }
}

io::task<> iptables_source::follow(ports::source_feed& feed) {
  while (true) {
    woken_ = false;
    read_at_ = io::clock::now();
    seen_ = rule_reader::look_at_legacy();
    publish(feed, reader_.read());
    read_took_ = io::clock::now() - read_at_;
    co_await io::sleep_for(std::max<io::clock::duration>(least_pause, reading_share * read_took_));
    co_await wait_for_reason();
  }
}

void iptables_source::publish(ports::source_feed& feed, base::result<ports::snapshot> now) {
  if (!now) {
    ++failures_;
    return feed.degraded(id(), now.error());
  }
  if (failures_ > 0 || !last_) ++epoch_;
  now->epoch = epoch_;
  failures_ = 0;
  if (last_ == *now) return;
  last_ = *now;
  pause_ = options_.poll_first;
  feed.publish(id(), std::move(*now));
}

io::task<> iptables_source::wait_for_reason() {
  const auto end = read_at_ + (failures_ > 0 ? retry.delay(failures_, 0) : options_.resync);
  while (!woken_ && io::clock::now() < end) {
    if (polls()) log_polling();
    co_await changed_.wait_until(polls() ? std::min(end, io::clock::now() + pause_) : end);
    if (woken_) break;
    pause_ = std::min(pause_ * 3 / 2, options_.poll_last);
    if (polls() && worth_reading()) break;
  }
  if (!woken_ && lock_tells() && rule_reader::look_at_legacy() != seen_) co_await check_lock();
}

// A legacy table may come into being where there was none.
bool iptables_source::polls() const { return !rules_ || !lock_tells(); }

// Most changes of a legacy table can be seen without reading it. The others, and those of nftables, cost a reading.
bool iptables_source::worth_reading() const {
  return rule_reader::look_at_legacy() != seen_ || io::clock::now() - read_at_ >= polling_share * read_took_;
}

// Whoever changes the table by other means, or sees another /run, has another lock. Ours may be about to tell.
io::task<> iptables_source::check_lock() {
  co_await changed_.wait_until(io::clock::now() + lock_delay);
  if (woken_) co_return;
  lock_missed_ = true;
  base::log::info(component, "a table of iptables-legacy has changed without the lock {}", options_.lock.string());
}

void iptables_source::log_polling() {
  if (std::exchange(told_of_polling_, true)) return;
  base::log::info(component, "not every change of rules is announced here ({}), looking every {} to {} ms",
                  rules_ ? "iptables-legacy" : "nftables", options_.poll_first.count(), options_.poll_last.count());
}

}  // namespace iptables
