#include "programs/guestagentctl/changes.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/json.hpp"
#include "programs/guestagentctl/port_text.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

using status_document::document;
using status_document::port;

// What decides about a key that has several entries: what should be open, then what still is.
enum class weight : std::uint8_t { exposed, leftover, left_out };

weight weight_of(const port& p) {
  if (p.decision == "exposed") return weight::exposed;
  return p.decision == status_document::leftover_decision ? weight::leftover : weight::left_out;
}

template <class Key>
std::map<Key, const port*> index(const document& shown) {
  std::map<Key, const port*> all;
  for (const auto& p : shown.ports) {
    const auto*& place = all[{p.protocol, p.address, p.number}];
    if (place == nullptr || weight_of(p) < weight_of(*place)) place = &p;
  }
  return all;
}

std::string_view to_text(change_kind what) {
  switch (what) {
    case change_kind::exposed: return "exposed";
    case change_kind::withdrawn: return "withdrawn";
    case change_kind::conflict: return "conflict";
    case change_kind::resolved: break;
  }
  return "resolved";
}

}  // namespace

void change_log::end(const known_port& known, std::vector<change>& changes, const port* now) {
  const auto reason = now == nullptr ? std::string() : now->reason;
  if (known.conflict) changes.push_back({change_kind::resolved, known.last, {}, reason});
  if (known.exposed) changes.push_back({change_kind::withdrawn, known.last, {}, reason});
}

void change_log::update(known_port& known, const port& now, std::vector<change>& changes) {
  known.last = now;
  const auto busy = std::ranges::find(now.peers, "conflict", &status_document::peer_port::state);
  if (busy != now.peers.end()) {
    if (!std::exchange(known.conflict, true)) changes.push_back({change_kind::conflict, now, busy->name, busy->reason});
    return;
  }
  if (now.peers.empty() || !std::ranges::all_of(now.peers, is_open)) return;
  if (std::exchange(known.conflict, false)) changes.push_back({change_kind::resolved, now, {}, {}});
  if (!std::exchange(known.exposed, true)) changes.push_back({change_kind::exposed, now, {}, {}});
}

std::vector<change> change_log::compare(const document& shown) {
  const auto now = index<key>(shown);
  std::vector<change> changes;
  std::erase_if(known_, [&](const auto& item) {
    const auto at = now.find(item.first);
    const bool ended = at == now.end() || weight_of(*at->second) == weight::left_out;
    if (ended) end(item.second, changes, at == now.end() ? nullptr : at->second);
    return ended;
  });
  for (const auto& [k, p] : now)
    if (weight_of(*p) == weight::exposed) update(known_[k], *p, changes);
  return changes;
}

std::string to_json(const change& c, std::string_view time) {
  const auto& p = c.port;
  json::object o{
      {"time", time}, {"event", to_text(c.what)}, {"protocol", p.protocol}, {"address", p.address}, {"port", p.number}};
  if (p.guest_port) o["guest_port"] = *p.guest_port;
  if (p.container_port) o["container_port"] = *p.container_port;
  o["source"] = p.source;
  o["owner"] = p.owner;
  o["name"] = p.name;
  if (!p.rule.empty()) o["rule"] = p.rule;
  if (!c.peer.empty()) o["peer"] = c.peer;
  if (!c.reason.empty()) o["reason"] = c.reason;
  return json::serialize(o);
}

}  // namespace guestagentctl
