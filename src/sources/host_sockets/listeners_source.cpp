#include "sources/host_sockets/listeners_source.hpp"

#include <algorithm>
#include <expected>
#include <memory>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netlink/sock_diag.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "net/protocol.hpp"
#include "ports/source.hpp"
#include "sources/host_sockets/machine.hpp"
#include "sources/host_sockets/process_table.hpp"
#include "sources/host_sockets/socket_events.hpp"

namespace host_sockets {
namespace {

using namespace std::chrono_literals;
using async::clock;

constexpr auto retry = 1s;  // after a failed scan

}  // namespace

listeners_source::listeners_source(async::executor where, listeners_options options)
    : where_(std::move(where)), options_(std::move(options)), tracker_(options_.tracker), owners_(options_.owners) {}

async::task<> listeners_source::run(ports::source_feed& feed) {
  while (true) {
    scan(feed);
    if (events_)
      co_await events_->wait_until(next_scan());
    else
      co_await async::sleep_until(next_scan());
    const auto now = clock::now();
    if (const auto allowed = pace_.next(now, processor_time()); allowed > now) co_await async::sleep_until(allowed);
  }
}

// The BPF programs contain the range as a constant.
base::result<> listeners_source::follow_ephemeral_ports() {
  const auto range = ephemeral_ports();
  if (!range) return std::unexpected(range.error());
  if (events_ && *range == ephemeral_) return {};
  ephemeral_ = *range;
  events_ = std::make_unique<socket_events>(where_, ephemeral_, options_.events);
  return {};
}

clock::time_point listeners_source::next_scan() const {
  if (!well_) return last_scan_ + retry;
  auto next = std::min({last_scan_ + options_.resync, tracker_.next_change(), owners_.next_question()});
  if (!events_->is_complete())
    next = std::min(
        next, last_scan_ + (last_scan_ - changed_ < options_.busy_time ? options_.poll_busy : options_.poll_quiet));
  return std::min(next, rescans_.next().value_or(next));
}

void listeners_source::scan(ports::source_feed& feed) {
  last_scan_ = clock::now();
  pace_.scan(last_scan_, processor_time());
  if (const auto range = follow_ephemeral_ports(); !range) return fail(feed, range.error());
  rescans_.scan(last_scan_, events_->forget());
  const auto changed = scan();
  if (!changed) return fail(feed, changed.error());
  pace_.note_result(tracker_.bindings_changed());
  if (*changed) changed_ = last_scan_;
  const bool new_doubt = doubt_ != owners_.trouble();
  if (tracker_.is_settled() && (*changed || new_doubt || epoch_ == 0 || !well_)) return publish(feed);
  well_ = true;
}

void listeners_source::publish(ports::source_feed& feed) {
  if (!std::exchange(well_, true) || epoch_ == 0) ++epoch_;
  doubt_ = owners_.trouble();
  unclear_.note(doubt_ ? base::result<>(std::unexpected(*doubt_)) : base::result<>{});
  auto snapshot = tracker_.snapshot();
  snapshot.epoch = epoch_;
  if (doubt_) snapshot.doubt = doubt_->message();
  for (const auto p : unsupported_)
    snapshot.refusals.push_back(
        {"listener", std::string(net::to_string(p)), "this kernel does not list such sockets", "unlisted"});
  feed.publish(id(), std::move(snapshot));
}

void listeners_source::fail(ports::source_feed& feed, base::error why) {
  well_ = false;
  feed.degraded(id(), std::move(why));
}

base::result<std::vector<netlink::diag_socket>> listeners_source::list() {
  auto listed = netlink::list_listeners();
  if (!listed) return std::unexpected(listed.error());
  if (unsupported_ != listed->unsupported)
    for (const auto p : listed->unsupported)
      base::log::info("listeners", "this kernel does not list {} sockets", net::to_string(p));
  unsupported_ = std::move(listed->unsupported);
  return std::move(listed->sockets);
}

// True if the snapshot has changed.
base::result<bool> listeners_source::scan() {
  auto sockets = list();
  if (!sockets) return std::unexpected(sockets.error());
  const auto asked = tracker_.note(std::move(*sockets), ephemeral_, last_scan_);
  const auto list_again = [this]() -> base::result<inode_set> {
    const auto now = list();
    if (!now) return std::unexpected(now.error());
    inode_set inodes;
    for (const auto& s : *now) inodes.insert(s.inode);
    return inodes;
  };
  return tracker_.update(owners_.find(asked, last_scan_, list_again));
}

}  // namespace host_sockets
