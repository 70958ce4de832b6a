#include "sources/host_sockets/listener_tracker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/netlink/sock_diag.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/serving.hpp"
#include "ports/snapshot.hpp"
#include "sources/host_sockets/classify.hpp"

namespace host_sockets {
namespace {

constexpr std::size_t most_names = 32;  // of each exclusion

// Whom a claim belongs to, for the status. Not the socket's inode: a server that restarts is the same forward.
constexpr const char* claim_owner = "listener";

std::string to_text(const netlink::diag_socket& s) {
  return fmt::format("{}/{}", net::to_string(s.at), net::to_string(s.protocol));
}

std::string counted(std::size_t sockets, std::string_view more) {
  return fmt::format("{} {}socket{}", sockets, more, sockets == 1 ? "" : "s");
}

// What is not known keeps a claim that stands.
bool is_undecided(const observation& o, exclusion why) {
  return why == exclusion::unknown_owner || (why == exclusion::momentary && o.young);
}

}  // namespace

listener_tracker::key listener_tracker::key_of(const netlink::diag_socket& s) {
  return {s.protocol, s.at, s.ipv6_only && s.at.ip.is_unspecified()};
}

std::vector<netlink::diag_socket> listener_tracker::note(std::vector<netlink::diag_socket> sockets,
                                                         netlink::port_range ephemeral, time_point now) {
  if (updates_ == 0) started_ = now;
  ++updates_;
  now_ = now;
  ephemeral_ = ephemeral;
  next_change_ = time_point::max();
  observed_.clear();
  for (auto& s : sockets) observed_.push_back({.socket = s});
  note_ages();
  std::vector<netlink::diag_socket> asked;
  for (const auto& o : observed_)
    if (may_be_relay(o.socket) || needs_owner(o, {options_.ignored, ephemeral_})) asked.push_back(o.socket);
  return asked;
}

// A client's port is named in the status when it has lived as long; no look is due for that alone.
void listener_tracker::note_ages() {
  std::unordered_map<std::uint32_t, time_point> opened;
  bool undecided = false;
  for (auto& o : observed_) {
    if (o.socket.protocol != net::protocol::udp) continue;
    const auto before = udp_opened_.find(o.socket.inode);
    const auto since = before == udp_opened_.end() ? now_ : before->second;
    opened.emplace(o.socket.inode, since);
    o.young = now_ - since < options_.udp_age;
    if (!o.young || !needs_owner({.socket = o.socket}, {options_.ignored, ephemeral_})) continue;
    wake_at(since + options_.udp_age);
    undecided = true;
  }
  udp_opened_ = std::move(opened);
  settled_ = settled_ || !undecided || now_ - started_ >= options_.udp_age;
}

void listener_tracker::exclude(const netlink::diag_socket& s, exclusion why) {
  auto& e = excluded_[static_cast<std::size_t>(why)];
  ++e.count;
  if (display_of(why) != display::named) return;
  e.names.insert(to_text(s));
  if (e.names.size() > most_names) e.names.erase(std::prev(e.names.end()));
}

// Each life counts by itself: a server that dies young again and again keeps its port as long as it comes back in time.
void listener_tracker::mark_seen(claim& c) const {
  if (c.closed) c.opened = now_;
  c.closed.reset();
  c.seen_in = updates_;
}

// What has closed goes, or stays for the hold time though no process listens. A UDP socket made a claim only when it
// was no reservation.
void listener_tracker::expire() {
  for (auto& [k, c] : claims_)
    if (k.protocol == net::protocol::tcp && c.seen_in != updates_ && !c.closed && now_ - c.opened < options_.hold)
      c.closed = now_;
  std::erase_if(claims_, [&](const auto& item) {
    const claim& c = item.second;
    return c.seen_in != updates_ && (!c.closed || now_ - *c.closed >= options_.hold);
  });
}

// Those that are known make no room for those that are new.
void listener_tracker::claim_all(const std::vector<key>& published) {
  std::vector<key> fresh;
  for (const auto& k : published) {
    const auto at = claims_.find(k);
    if (at == claims_.end())
      fresh.push_back(k);
    else
      mark_seen(at->second);
  }
  expire();
  const auto since = updates_ == 1 ? now_ - options_.hold : now_;  // what was there before us is no reservation
  for (const auto& k : fresh) {
    if (claims_.size() < options_.most || claims_.contains(k))
      claims_.try_emplace(k, claim{since, {}, updates_});
    else
      ++too_many_;
  }
}

ports::binding listener_tracker::to_binding(const key& k, const claim& c) {
  ports::binding made{k.protocol, k.at.ip, k.at.port, k.at.port, claim_owner, {}, ports::serving::host_listener};
  const bool held_back = k.ipv6_only && now_ - c.opened < options_.hold;
  if (c.closed || held_back) {
    made.served = ports::serving::reserved;
    wake_at(c.closed.value_or(c.opened) + options_.hold);
  } else if (k.ipv6_only) {
    made.served = ports::serving::ipv6_listener;
  }
  return made;
}

void listener_tracker::add_refusals(ports::snapshot& to) const {
  for (std::size_t i = 0; i < excluded_.size(); ++i) {
    const auto& e = excluded_[i];
    const auto why = static_cast<exclusion>(i);
    if (display_of(why) == display::hidden) continue;
    for (const auto& name : e.names)
      to.refusals.push_back({claim_owner, name, std::string(to_text(why)), name_of(why)});
    const auto more = e.count - std::min(e.count, e.names.size());
    if (display_of(why) == display::counted ? more == 0 : e.count <= most_names) continue;
    to.refusals.push_back(
        {claim_owner, counted(more, e.names.empty() ? "" : "more "), std::string(to_text(why)), name_of(why)});
  }
  if (too_many_ > 0)
    to.refusals.push_back(
        {claim_owner, counted(too_many_, ""), fmt::format("more than {} listeners", options_.most), "too-many"});
}

// Sockets that are not published come and go all the time; what is said about them alone is not worth a snapshot each.
bool listener_tracker::replace_snapshot(ports::snapshot next) {
  bindings_changed_ = next.bindings != snapshot_.bindings;
  if (next == snapshot_) return false;
  if (!bindings_changed_ && now_ - remarked_ < options_.remark) {
    wake_at(remarked_ + options_.remark);
    return false;
  }
  remarked_ = now_;
  snapshot_ = std::move(next);
  return true;
}

bool listener_tracker::update(const owner_map& owners) {
  too_many_ = 0;
  excluded_ = {};
  std::vector<key> published;
  for (auto& o : observed_) {
    if (const auto at = owners.find(o.socket.inode); at != owners.end()) o.held_by = at->second;
    const auto why = classify(o, {options_.ignored, ephemeral_});
    const auto k = key_of(o.socket);
    if (!why || (is_undecided(o, *why) && claims_.contains(k)))
      published.push_back(k);
    else
      exclude(o.socket, *why);
  }
  claim_all(published);
  ports::snapshot next;
  for (const auto& [k, c] : claims_) next.bindings.push_back(to_binding(k, c));
  add_refusals(next);
  return replace_snapshot(std::move(next));
}

}  // namespace host_sockets
