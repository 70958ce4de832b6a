#include "sources/listeners/listeners_source.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "io/timeout.hpp"
#include "sources/listeners/process_sockets.hpp"

namespace listeners {
namespace {

using namespace std::chrono_literals;
using io::clock;

constexpr auto second_look = 2ms;  // a listener is told of a moment before the list shows it
constexpr auto retry = 1s;         // after a look that failed

}  // namespace

listeners_source::listeners_source(io::executor where, listeners_options options)
    : where_(std::move(where)), options_(std::move(options)), tracker_(options_.tracker) {}

io::task<> listeners_source::run(ports::source_feed& feed) {
  while (true) {
    follow_ephemeral_ports();
    look(feed);
    co_await events_->wait_until(next_look());
    const auto now = clock::now();
    if (const auto allowed = pace_.next(now, processor_time()); allowed > now) co_await io::sleep_until(allowed);
  }
}

// The programs in the kernel have the range written into them.
void listeners_source::follow_ephemeral_ports() {
  const auto range = ephemeral_ports();
  if (events_ && range == ephemeral_) return;
  ephemeral_ = range;
  events_.emplace(where_, ephemeral_, options_.events);
}

clock::time_point listeners_source::next_look() const {
  if (!well_) return looked_ + retry;
  auto next = std::min(looked_ + options_.resync, tracker_.next_change());
  if (!events_->tells_all())
    next =
        std::min(next, looked_ + (looked_ - changed_ < options_.busy_time ? options_.poll_busy : options_.poll_quiet));
  return again_at_ ? std::min(next, *again_at_) : next;
}

// An event is looked at twice; the second look is due after the first.
void listeners_source::look(ports::source_feed& feed) {
  const auto now = clock::now();
  looked_ = now;
  pace_.look(now, processor_time());
  again_at_ = events_->forget() ? std::optional(now + second_look) : std::nullopt;
  const auto others = read_others();
  if (!others) return fail(feed, others.error());
  const bool changed = tracker_.update(*others, ephemeral_, now);
  if (changed) changed_ = now;
  if (!changed && well_) return;
  if (!std::exchange(well_, true)) ++epoch_;
  auto snapshot = tracker_.snapshot();
  snapshot.epoch = epoch_;
  for (const auto p : unsupported_)
    snapshot.refusals.push_back({"listener", std::string(net::to_string(p)), "this kernel does not list such sockets"});
  feed.publish(id(), std::move(snapshot));
}

void listeners_source::fail(ports::source_feed& feed, base::error why) {
  well_ = false;
  feed.degraded(id(), std::move(why));
}

base::result<std::set<std::uint32_t>> listeners_source::unwanted_inodes() const {
  auto inodes = own_socket_inodes();
  if (inodes) inodes->merge(socket_inodes_of(options_.engine_programs));
  return inodes;
}

// The sockets of all other processes but the engines' own. Who holds one is asked when it is seen first.
base::result<std::vector<netlink::diag_socket>> listeners_source::read_others() {
  auto listed = netlink::list_listeners();
  if (!listed) return std::unexpected(listed.error());
  auto& sockets = listed->sockets;
  const bool known = std::ranges::all_of(sockets, [this](const auto& s) { return unwanted_.contains(s.inode); });
  std::set<std::uint32_t> unwanted;
  if (!known) {
    auto inodes = unwanted_inodes();
    if (!inodes) return std::unexpected(inodes.error());
    unwanted = std::move(*inodes);
  }
  std::map<std::uint32_t, bool> now;
  for (const auto& s : sockets) {
    const auto before = unwanted_.find(s.inode);
    now.emplace(s.inode, before == unwanted_.end() ? unwanted.contains(s.inode) : before->second);
  }
  unwanted_ = std::move(now);
  std::erase_if(sockets, [this](const auto& s) { return unwanted_.at(s.inode); });
  if (unsupported_ != listed->unsupported)
    for (const auto p : listed->unsupported)
      base::log::info("listeners", "this kernel does not list {} sockets", net::to_string(p));
  unsupported_ = std::move(listed->unsupported);
  return std::move(sockets);
}

}  // namespace listeners
