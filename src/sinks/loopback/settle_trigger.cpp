#include "sinks/loopback/settle_trigger.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "async/clock.hpp"
#include "async/first_of.hpp"
#include "async/rest.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "sinks/loopback/machine_state.hpp"

namespace loopback {
namespace {

constexpr async::rest_limits between_settlings{
    .share = 10, .least = std::chrono::milliseconds(500), .most = std::chrono::seconds(2)};
constexpr int intervals_to_one_reread = 10;  // of the whole tables, while nothing changes

}  // namespace

settle_trigger::settle_trigger(const async::executor& where, const watched& watch, std::chrono::milliseconds resync)
    : watch_(watch), resync_(resync), engaged_(where) {
  if (!watch_.tables.announces_rules())
    base::log::info("loopback", "the kernel announces no rule changes, polling interval_s={}", resync_.count() / 1000);
}

void settle_trigger::begin_settling() {
  began_ = async::clock::now();
  idle_ = false;
  engaged_.notify_all();
}

void settle_trigger::end_settling(bool idle) {
  took_ = async::clock::now() - began_;
  idle_ = idle;
}

async::task<> settle_trigger::due() {
  co_await due_at_all();
  co_await async::sleep_until(returned_ + async::rest_after(took_, between_settlings));
  returned_ = async::clock::now();
}

async::task<> settle_trigger::due_at_all() {
  for (int interval = 0; interval < intervals_to_one_reread; ++interval) {
    const auto now = async::clock::now();
    const auto retry = watch_.rejected.next_end(now);
    const auto when = retry ? std::min(*retry, now + resync_) : now + resync_;
    const auto notified = co_await wait_for_notice(when);
    if (notified || differs() || (retry && *retry <= async::clock::now())) co_return;
  }
  watch_.tables.reread_whole();
}

// Fails at `when`.
async::task<base::result<>> settle_trigger::wait_for_notice(async::clock::time_point when) {
  const bool has_watch = watch_.tables.has_watch(), has_legacy = watch_.tables.has_legacy();
  if (idle_) {
    static_cast<void>(co_await async::until(when, wait_engaged()));
  } else if (has_watch && has_legacy) {
    co_return co_await async::until(when, async::first_of(nft_or_machine_changed(), watch_.tables.legacy_changed()));
  } else if (has_watch) {
    co_return co_await async::until(when, nft_or_machine_changed());
  } else if (has_legacy) {
    co_return co_await async::until(when, watch_.tables.legacy_changed());
  } else {
    co_await async::sleep_until(when);
  }
  co_return base::fail(std::errc::timed_out, "no notice");
}

async::task<> settle_trigger::wait_engaged() {
  while (idle_) co_await engaged_.wait();
}

async::task<> settle_trigger::nft_or_machine_changed() {
  do {
    co_await watch_.tables.notified();
    watch_.localnet.heal();
  } while (!differs());
}

bool settle_trigger::differs() const {
  const auto machine = read_machine(watch_.rules);
  if (!machine || *machine != watch_.machine || !watch_.localnet.is_guarded()) return true;
  return watch_.tables.nft_changed();
}

}  // namespace loopback
