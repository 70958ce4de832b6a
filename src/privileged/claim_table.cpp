#include "privileged/claim_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace privileged {
namespace {

constexpr std::size_t most_notes = 8;
constexpr std::size_t most_claimants = 16;  // of one port

using portproxy::listener_key;

void note(outcome& into, std::string text) {
  if (into.notes.size() < most_notes) into.notes.push_back(std::move(text));
}

net::endpoint target_of(const listener_key& key, const net::address& vm) { return {vm, key.port}; }

// The address of the binding's family. A wildcard takes both, and the listener is one: IPv4 where there is the choice.
std::optional<net::address> vm_of(const portmapping::message& m, const portmapping::binding& b) {
  const bool wildcard = b.host.ip.is_unspecified();
  const auto first = portmapping::target_of(m.connect_addresses, wildcard || b.host.ip.is_v4());
  return first || !wildcard ? first : portmapping::target_of(m.connect_addresses, false);
}

}  // namespace

void claim_table::add(const listener_key& key, const net::address& vm, outcome& into) {
  const auto at = claims_.try_emplace(key).first;
  auto& all = at->second;
  if (std::ranges::find(all, vm) != all.end()) return;
  if (all.size() >= most_claimants) {  // a VM has another address each time it is started, and may take nothing back
    note(into, fmt::format("{} of {} is dropped: {} have come since", to_string(key), all.front().to_string(),
                           most_claimants));
    all.erase(all.begin());
    --size_;
  }
  if (size_ >= options_.claims) {
    note(into, fmt::format("{} of {} is refused: too many", to_string(key), vm.to_string()));
    if (all.empty()) claims_.erase(at);
    return;
  }
  if (!all.empty())
    note(into, fmt::format("{} goes from {} to {}", to_string(key), all.back().to_string(), vm.to_string()));
  all.push_back(vm);
  ++size_;
  into.changes.push_back({key, target_of(key, vm)});
}

void claim_table::remove(const listener_key& key, const std::optional<net::address>& vm, outcome& into) {
  const auto at = claims_.find(key);
  if (at == claims_.end()) return;
  auto& all = at->second;
  if (!vm && all.size() > 1) return note(into, to_string(key) + " is not removed: several have it, and none is named");
  const auto claim = vm ? std::ranges::find(all, *vm) : all.begin();
  if (claim == all.end()) return;
  const bool had_it = std::next(claim) == all.end();
  all.erase(claim);
  --size_;
  if (all.empty())
    into.changes.push_back({key, std::nullopt});
  else if (had_it)
    into.changes.push_back({key, target_of(key, all.back())});
  if (all.empty()) claims_.erase(at);
}

outcome claim_table::apply(const portmapping::message& m) {
  outcome made;
  for (const auto& b : m.bindings) {
    const auto key = portproxy::key_of(b);
    const auto vm = vm_of(m, b);
    if (m.remove && (vm || m.connect_addresses.empty()))
      remove(key, vm, made);
    else if (!vm)
      note(made, to_string(key) + " is ignored: no address of its family to connect to");
    else if (vm->is_loopback() && !options_.loopback_targets)
      note(made, fmt::format("{} is refused: {} is this machine itself", to_string(key), vm->to_string()));
    else
      add(key, *vm, made);
  }
  return made;
}

}  // namespace privileged
