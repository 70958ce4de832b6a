#include "programs/privileged_service/claim_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/listen_key.hpp"
#include "programs/port_proxy/caller.hpp"
#include "programs/port_proxy/listener_table.hpp"
#include "protocols/port_mapping/message.hpp"

namespace privileged_service {
namespace {

constexpr std::size_t most_notes = 8;
constexpr std::size_t most_claimants = 16;  // of one sender on one port
constexpr std::size_t most_senders = 16;    // on one port

void note(outcome& into, std::string text) {
  if (into.notes.size() < most_notes) into.notes.push_back(std::move(text));
}

net::endpoint target_of(const net::listen_key& key, const net::address& vm) { return {vm, key.port}; }

// The VM's address of the binding's family. A wildcard is one listener for both families; it prefers IPv4.
std::optional<net::address> vm_of(const port_mapping::message& m, const port_mapping::binding& b) {
  const bool wildcard = b.host.ip.is_unspecified();
  const auto first = port_mapping::target_of(m.connect_addresses, wildcard || b.host.ip.is_v4());
  return first || !wildcard ? first : port_mapping::target_of(m.connect_addresses, false);
}

}  // namespace

bool claim_table::may_change(const claim& existing, const port_proxy::caller& sender) const {
  return existing.sender == sender || !options_.is_alive(existing.sender);
}

void claim_table::forget(claimants& all, claimants::iterator one) {
  const auto count = of_sender_.find(one->sender);
  if (--count->second == 0) of_sender_.erase(count);
  all.erase(one);
  --size_;
}

// Notes what changed for the port, whose first claim was that of `before`.
void claim_table::settle(const net::listen_key& key, const std::optional<net::address>& before, outcome& into) {
  const auto at = claims_.find(key);
  const bool any = at != claims_.end() && !at->second.empty();
  if (at != claims_.end() && !any) claims_.erase(at);
  if (!any && before) into.changes.push_back({key, std::nullopt});
  if (!any || before == at->second.front().vm) return;
  const auto& now = at->second.front().vm;
  if (before) note(into, fmt::format("{} goes from {} to {}", to_string(key), before->to_string(), now.to_string()));
  into.changes.push_back({key, target_of(key, now)});
}

// A VM has another address after each start, and may not remove its former claims.
bool claim_table::make_room(claimants& all, const net::listen_key& key, const claim& wanted, outcome& into) {
  const auto of_same = [&](const claim& c) { return c.sender == wanted.sender; };
  if (std::ranges::count_if(all, of_same) >= static_cast<std::ptrdiff_t>(most_claimants)) {
    const auto oldest = std::find_if(all.rbegin(), all.rend(), of_same);
    note(into, fmt::format("{} of {} is dropped: {} have come since", to_string(key), oldest->vm.to_string(),
                           most_claimants));
    forget(all, std::prev(oldest.base()));
  }
  const auto own = of_sender_.find(wanted.sender);
  const auto held = own == of_sender_.end() ? 0 : own->second;
  if (all.size() < most_claimants * most_senders && size_ < options_.claims && held < options_.claims - size_)
    return true;
  note(into, fmt::format("{} of {} is refused: too many", to_string(key), wanted.vm.to_string()));
  return false;
}

// Before the claims that its sender may change, after those of others.
void claim_table::add(const net::listen_key& key, const claim& wanted, outcome& into) {
  auto& all = claims_[key];
  const std::optional<net::address> before = all.empty() ? std::nullopt : std::optional(all.front().vm);
  const auto known =
      std::ranges::find_if(all, [&](const claim& c) { return c.vm == wanted.vm && may_change(c, wanted.sender); });
  if (known != all.end() && known->sender == wanted.sender) return;
  if (known != all.end()) forget(all, known);
  if (make_room(all, key, wanted, into)) {
    const auto behind = std::ranges::find_if(all, [&](const claim& c) { return may_change(c, wanted.sender); });
    if (behind != all.begin())
      note(into,
           fmt::format("{} of {} waits: {} has it", to_string(key), wanted.vm.to_string(), all.front().vm.to_string()));
    all.insert(behind, wanted);
    ++size_;
    ++of_sender_[wanted.sender];
  }
  settle(key, before, into);
}

void claim_table::remove(const net::listen_key& key, const std::optional<net::address>& vm,
                         const port_proxy::caller& sender, outcome& into) {
  const auto at = claims_.find(key);
  if (at == claims_.end()) return;
  auto& all = at->second;
  const auto matches = [&](const claim& c) { return (!vm || c.vm == *vm) && may_change(c, sender); };
  if (!vm && std::ranges::count_if(all, matches) > 1)
    return note(into, to_string(key) + " is not removed: several have it, and none is named");
  const auto found = std::ranges::find_if(all, matches);
  if (found == all.end()) return;
  const auto before = all.front().vm;
  forget(all, found);
  settle(key, before, into);
}

outcome claim_table::apply(const port_mapping::message& m, const port_proxy::caller& sender) {
  outcome made;
  for (const auto& b : m.bindings) {
    const auto key = port_proxy::key_of(b);
    const auto vm = vm_of(m, b);
    if (m.remove && (vm || m.connect_addresses.empty()))
      remove(key, vm, sender, made);
    else if (!vm)
      note(made, to_string(key) + " is ignored: no address of its family to connect to");
    else if (vm->is_loopback() && !options_.loopback_targets)
      note(made, fmt::format("{} is refused: {} is this machine itself", to_string(key), vm->to_string()));
    else if (const auto why = options_.refuse_target(*vm); !why.empty())
      note(made, fmt::format("{} is refused: {} {}", to_string(key), vm->to_string(), why));
    else
      add(key, {*vm, sender}, made);
  }
  return made;
}

}  // namespace privileged_service
