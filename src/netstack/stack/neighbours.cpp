#include "netstack/stack/neighbours.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"

namespace netstack {

neighbours::entry* neighbours::find_entry(ipv4::address a) {
  if (latest_ < entries_.size() && entries_[latest_].address == a) return &entries_[latest_];
  const auto found = std::ranges::find(entries_, a, &entry::address);
  if (found == entries_.end()) return nullptr;
  latest_ = static_cast<std::size_t>(found - entries_.begin());
  return &*found;
}

const location* neighbours::find(ipv4::address a) const {
  const auto* e = const_cast<neighbours*>(this)->find_entry(a);
  return e != nullptr && e->at ? &*e->at : nullptr;
}

neighbours::entry* neighbours::find_or_begin(ipv4::address a) {
  if (auto* e = find_entry(a)) return e;
  if (entries_.size() >= most_entries_) {
    const auto unknown = std::ranges::find_if(entries_, [](const entry& e) { return !e.at; });
    if (unknown == entries_.end()) return nullptr;
    drop_waiting(*unknown);
    remove(static_cast<std::size_t>(unknown - entries_.begin()));
  }
  return &entries_.emplace_back(entry{.address = a, .at = {}, .waiting = {}});
}

std::vector<neighbours::packet> neighbours::learn(ipv4::address a, const location& at) {
  auto* e = find_or_begin(a);
  if (e == nullptr) return {};
  const bool was_asked = !e->at;
  e->at = at;
  if (!was_asked) return {};
  e->ask_at = time_point::max();
  for (const auto& p : e->waiting) waiting_bytes_ -= p.size();
  auto waited = std::exchange(e->waiting, {});
  find_wake_time();
  return waited;
}

bool neighbours::wait_for(ipv4::address a, packet p, time_point now) {
  ask(a, now);
  auto* e = find_entry(a);
  if (e == nullptr || e->at || waiting_bytes_ + p.size() > most_waiting_bytes) {
    ++dropped_;
    return false;
  }
  if (e->waiting.size() >= most_waiting_) {
    waiting_bytes_ -= e->waiting.front().size();
    e->waiting.erase(e->waiting.begin());
    ++dropped_;
  }
  waiting_bytes_ += p.size();
  e->waiting.push_back(std::move(p));
  return true;
}

void neighbours::ask(ipv4::address a, time_point now) {
  auto* e = find_or_begin(a);
  if (e == nullptr || e->at || e->ask_at != time_point::max()) return;
  e->ask_at = now;
  wake_at_ = std::min(wake_at_, now);
}

bool neighbours::has_any_on(link_id link) const {
  return std::ranges::any_of(entries_, [&](const entry& e) { return e.at && e.at->link == link; });
}

void neighbours::forget_link(link_id link) {
  std::erase_if(entries_, [&](const entry& e) { return e.at && e.at->link == link; });
}

std::optional<ipv4::address> neighbours::take_due(time_point now) {
  if (now < wake_at_) return std::nullopt;
  for (std::size_t i = 0; i < entries_.size();) {
    auto& e = entries_[i];
    if (e.ask_at > now) {
      ++i;
    } else if (e.asks < most_asks) {
      ++e.asks;
      e.ask_at = now + ask_interval;
      find_wake_time();
      return e.address;
    } else {
      drop_waiting(e);
      remove(i);
    }
  }
  find_wake_time();
  return std::nullopt;
}

std::size_t neighbours::located() const {
  return static_cast<std::size_t>(std::ranges::count_if(entries_, [](const entry& e) { return e.at.has_value(); }));
}

void neighbours::drop_waiting(entry& e) {
  for (const auto& p : e.waiting) waiting_bytes_ -= p.size();
  dropped_ += e.waiting.size();
  e.waiting.clear();
}

void neighbours::remove(std::size_t at) {
  std::swap(entries_[at], entries_.back());
  entries_.pop_back();
}

void neighbours::find_wake_time() {
  wake_at_ = time_point::max();
  for (const auto& e : entries_) wake_at_ = std::min(wake_at_, e.ask_at);
}

}  // namespace netstack
