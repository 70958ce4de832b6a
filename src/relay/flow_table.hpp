// flow_table: the UDP flows of one thread, by listener and client, in order of use. Pure: time and flows are arguments.
//
// When a flow must make room, the choice keeps one client from displacing the others. The client with the most flows on
// one listener loses its longest idle one. A newcomer with as many as the largest loses one of its own. While each
// client has one flow, the longest idle of all goes. A client is an IPv4 address, or the /64 of an IPv6 address.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "net/endpoint.hpp"
#include "relay/port_share.hpp"

namespace relay {

template <class Flow>
class flow_table {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  struct key {
    const void* listener = nullptr;
    net::endpoint client;
    auto operator<=>(const key&) const = default;
  };
  struct entry {
    key id;
    std::unique_ptr<Flow> flow;
    time_point used;
    std::list<entry*>::iterator in_all, in_share;
  };

  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] entry* find(const key& id) {
    const auto at = entries_.find(id);
    return at == entries_.end() ? nullptr : &at->second;
  }
  // The key must be new.
  entry& add(const key& id, std::unique_ptr<Flow> flow, time_point now) {
    auto& made = entries_[id];
    auto& share = shares_[share_of(id)];
    sizes_.erase({share.size(), share_of(id)});
    made = {id, std::move(flow), now, all_.insert(all_.end(), &made), share.insert(share.end(), &made)};
    sizes_.emplace(share.size(), share_of(id));
    return made;
  }
  void touch(entry& e, time_point now) {
    auto& share = shares_[share_of(e.id)];
    e.used = now;
    all_.splice(all_.end(), all_, e.in_all);
    share.splice(share.end(), share, e.in_share);
  }
  std::unique_ptr<Flow> remove(entry& e) {
    const auto share = shares_.find(share_of(e.id));
    sizes_.erase({share->second.size(), share->first});
    all_.erase(e.in_all);
    share->second.erase(e.in_share);
    if (share->second.empty())
      shares_.erase(share);
    else
      sizes_.emplace(share->second.size(), share->first);
    auto flow = std::move(e.flow);
    entries_.erase(entries_.find(e.id));
    return flow;
  }

  // Null: the table is empty.
  [[nodiscard]] entry* idle_for_longest() const { return all_.empty() ? nullptr : all_.front(); }
  // The flow that makes room for one of that key. Null: the table is empty.
  [[nodiscard]] entry* to_make_room_for(const key& newcomer) const {
    if (sizes_.empty()) return nullptr;
    const auto& [most, largest] = *sizes_.rbegin();
    const auto own = shares_.find(share_of(newcomer));
    if (own != shares_.end() && own->second.size() == most) return own->second.front();
    return most == 1 ? all_.front() : shares_.at(largest).front();
  }
  // Any flow of that listener. Null: it has none.
  [[nodiscard]] entry* of_listener(const void* listener) {
    const auto at = entries_.lower_bound({listener, {}});
    return at == entries_.end() || at->first.listener != listener ? nullptr : &at->second;
  }

 private:
  using share_key = std::pair<const void*, net::address>;
  static share_key share_of(const key& id) { return {id.listener, client_of(id.client.ip)}; }

  std::map<key, entry> entries_;
  std::list<entry*> all_;                          // the longest idle one first
  std::map<share_key, std::list<entry*>> shares_;  // none is empty; in the same order
  std::set<std::pair<std::size_t, share_key>> sizes_;
};

}  // namespace relay
