#include "sources/cni_portmap/iptables_source.hpp"

#include <memory>
#include <string_view>
#include <utility>

#include "async/clock.hpp"
#include "async/rest.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/backoff.hpp"
#include "base/log.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "ports/snapshot.hpp"
#include "ports/source.hpp"
#include "sources/cni_portmap/portmap_rules.hpp"
#include "sources/engine/stopped_containers.hpp"

namespace cni_portmap {
namespace {

using namespace std::chrono_literals;

constexpr base::backoff retry{50ms, 2000ms, 0.0};
// Readings take a quarter of the time at most.
constexpr async::rest_limits between_readings{.share = 3, .least = 5ms, .most = 2s};

stopped_test test_of(std::shared_ptr<engine::stopped_containers> stopped) {
  if (!stopped) return {};
  return [stopped = std::move(stopped)](std::string_view name) { return stopped->contains(name); };
}

}  // namespace

iptables_source::iptables_source(const async::executor& where, iptables_options options)
    : options_(std::move(options)),
      legacy_(where, options_.legacy, "iptables"),
      reader_(options_.pods, test_of(options_.stopped)),
      changed_(where) {
  auto rules = netlink::change_watch::open(where, {.addresses = false, .gathering = 0ms});
  if (rules)
    rules_.emplace(std::move(*rules));
  else
    base::log::info("iptables", "cannot watch nftables for changes, polling interval={}ms reason=\"{}\"",
                    options_.poll.count(), rules.error().message());
}

async::task<> iptables_source::run(ports::source_feed& feed) {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  if (rules_) tasks.spawn("rule changes", follow_watch(*rules_));
  tasks.spawn("legacy tables", follow_watch(legacy_));
  if (options_.stopped) tasks.spawn("stopped containers", follow_stopped_containers());
  tasks.spawn("rules", follow(feed));
  co_await tasks.join_or_stop();
}

template <class Watch>
async::task<> iptables_source::follow_watch(Watch& watch) {
  while (true) {
    co_await watch.changed();
    woken_ = true;
    changed_.notify_all();
    while (woken_) co_await changed_.wait();  // until it has been read
  }
}

// Waits at all times: a container that stops during a reading leads to another one.
async::task<> iptables_source::follow_stopped_containers() {
  while (true) {
    co_await options_.stopped->changed();
    woken_ = true;
    changed_.notify_all();
  }
}

async::task<> iptables_source::follow(ports::source_feed& feed) {
  while (true) {
    const auto begin = async::clock::now();
    woken_ = false;
    legacy_.begin_reading();
    auto now = co_await reader_.read();
    publish(feed, std::move(now));
    legacy_.end_reading();
    changed_.notify_all();
    const auto took = async::clock::now() - begin;
    co_await async::sleep_for(async::rest_after(took, between_readings));
    const auto end = begin + (failures_ > 0 ? retry.delay(failures_, 0) : rules_ ? options_.resync : options_.poll);
    while (!woken_ && async::clock::now() < end) co_await changed_.wait_until(end);
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
  feed.publish(id(), std::move(*now));
}

}  // namespace cni_portmap
