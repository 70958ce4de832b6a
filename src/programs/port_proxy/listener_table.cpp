#include "programs/port_proxy/listener_table.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <vector>

#include "net/listen_key.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_proxy {
namespace {

constexpr std::size_t tries_in_a_millisecond = 2;  // at most, over all waiting listeners

}  // namespace

net::listen_key key_of(const port_mapping::binding& b) {
  return {b.protocol, b.host.ip.is_unspecified() ? net::address::any_v4() : b.host.ip, b.host.port};
}

void listener_table::schedule(const net::listen_key& key, entry& e, time_point when) {
  schedule_.erase({e.due, key});
  e.due = when;
  schedule_.insert({when, key});
}

listener_table::added listener_table::add(const net::listen_key& key, time_point now) {
  if (entries_.contains(key)) return added::known;
  if (entries_.size() >= limit_) return added::full;
  schedule(key, entries_[key], now);
  return added::now;
}

std::optional<bool> listener_table::remove(const net::listen_key& key, time_point now) {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return std::nullopt;
  const bool was_open = at->second.open;
  schedule_.erase({at->second.due, key});
  entries_.erase(at);
  const net::listen_key first{key.protocol, {}, key.port};
  for (auto other = entries_.lower_bound(first); other != entries_.end(); ++other) {
    if (other->first.protocol != key.protocol || other->first.port != key.port) break;
    if (!other->second.open) schedule(other->first, other->second, now);
  }
  return was_open;
}

std::vector<net::listen_key> listener_table::due(time_point now, std::size_t limit) const {
  std::vector<net::listen_key> keys;
  for (const auto& [when, key] : schedule_) {
    if (when > now || keys.size() == limit) break;
    keys.push_back(key);
  }
  return keys;
}

time_point listener_table::next_due() const { return schedule_.empty() ? time_point::max() : schedule_.begin()->first; }

void listener_table::opened(const net::listen_key& key) {
  auto& e = entries_.at(key);
  schedule_.erase({e.due, key});
  e = entry{.open = true, .due = {}, .failures = 0, .why = {}};
}

bool listener_table::failed(const net::listen_key& key, std::error_code why, time_point now) {
  auto& e = entries_.at(key);
  const bool news = e.failures == 0 || e.why != why;
  e.why = why;
  ++e.failures;
  // The port number serves as the random part. The more listeners wait, the longer each one does.
  const std::chrono::milliseconds turn(schedule_.size() / tries_in_a_millisecond);
  schedule(key, e, now + turn + retry_.delay(e.failures, std::uint32_t{key.port} * 2'654'435'761U));
  return news;
}

}  // namespace port_proxy
