#include "sources/listeners/listener_tracker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace listeners {
namespace {

constexpr std::size_t most_refusals = 100;

// Whom a claim belongs to, for the status. Not the socket's inode: a server that restarts is the same forward.
constexpr const char* owner = "listener";

bool is_multicast(const net::address& a) { return a.is_v4() ? a.data()[0] >= 224 : a.data()[0] == 0xff; }

bool is_link_local(const net::address& a) { return a.is_v6() && a.data()[0] == 0xfe && (a.data()[1] & 0xc0) == 0x80; }

std::string to_text(const netlink::diag_socket& s) {
  return fmt::format("{}/{}", net::to_string(s.at), net::to_string(s.protocol));
}

}  // namespace

// A socket that takes packets from one interface alone was meant for that network, and for no other.
listener_tracker::fate listener_tracker::judge(const netlink::diag_socket& s, netlink::port_range ephemeral) const {
  if (options_.ignored.contains(s.protocol, s.at.port) || is_multicast(s.at.ip)) return fate::passed_over;
  const bool in_range = ephemeral.first <= s.at.port && s.at.port <= ephemeral.last;
  if (s.protocol == net::protocol::udp && in_range) return fate::passed_over;
  return s.device != 0 || is_link_local(s.at.ip) ? fate::device : fate::published;
}

// Each life counts by itself: a server that dies young again and again keeps its port as long as it comes back in time.
void listener_tracker::see_again(claim& c, time_point now) const {
  if (c.closed) c.opened = now;
  c.closed.reset();
  c.seen_in = updates_;
}

// What has closed goes, or stays for the hold time though nobody listens.
void listener_tracker::miss(time_point now) {
  for (auto& [k, c] : claims_)
    if (c.seen_in != updates_ && !c.closed && now - c.opened < options_.hold) c.closed = now;
  std::erase_if(claims_, [&](const auto& item) {
    const claim& c = item.second;
    return c.seen_in != updates_ && (!c.closed || now - *c.closed >= options_.hold);
  });
}

// Those that are known make no room for those that are new.
void listener_tracker::see_all(const std::vector<netlink::diag_socket>& published, time_point now) {
  std::vector<key> fresh;
  for (const auto& s : published) {
    const key k{s.protocol, s.at, s.ipv6_only && s.at.ip.is_unspecified()};
    const auto at = claims_.find(k);
    if (at == claims_.end())
      fresh.push_back(k);
    else
      see_again(at->second, now);
  }
  miss(now);
  const auto since = updates_ == 1 ? now - options_.hold : now;  // what was there before us is nobody's reservation
  for (const auto& k : fresh) {
    if (claims_.size() < options_.most || claims_.contains(k))
      claims_.try_emplace(k, claim{since, {}, updates_});
    else
      ++too_many_;
  }
}

ports::binding listener_tracker::to_binding(const key& k, const claim& c, time_point now) {
  ports::binding made{k.protocol, k.at.ip, k.at.port, k.at.port, owner, {}, ports::reach::direct};
  const bool young = now - c.opened < options_.hold;
  if (c.closed || (k.ipv6_only && young)) {
    made.served = ports::reach::nobody;
    next_change_ = std::min(next_change_, c.closed.value_or(c.opened) + options_.hold);
  } else if (k.ipv6_only) {
    made.served = ports::reach::ipv6_only;
  }
  return made;
}

bool listener_tracker::update(const std::vector<netlink::diag_socket>& sockets, netlink::port_range ephemeral,
                              time_point now) {
  ++updates_;
  too_many_ = 0;
  std::set<std::string> refused;
  std::vector<netlink::diag_socket> published;
  for (const auto& s : sockets) {
    const auto what = judge(s, ephemeral);
    if (what == fate::published) published.push_back(s);
    if (what == fate::device && refused.size() < most_refusals) refused.insert(to_text(s));
  }
  see_all(published, now);
  ports::snapshot next;
  next_change_ = time_point::max();
  for (const auto& [k, c] : claims_) next.bindings.push_back(to_binding(k, c, now));
  for (const auto& text : refused) next.refusals.push_back({owner, text, "bound to one network interface"});
  if (too_many_ > 0)
    next.refusals.push_back(
        {owner, fmt::format("{} sockets", too_many_), fmt::format("more than {} listeners", options_.most)});
  const bool changed = next != snapshot_;
  snapshot_ = std::move(next);
  return changed;
}

}  // namespace listeners
