#include "ports/trouble_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "ports/binding.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"

namespace ports {
namespace {

constexpr std::chrono::minutes well_enough{10};  // after which a peer starts with the first limit again

// `exists` is a question to the peer's list, which turns it into a conflict or into none.
std::optional<std::string> trouble_of(const ports::slot* slot) {
  if (slot == nullptr || !slot->retry.trouble) return std::nullopt;
  const auto kind = slot->retry.trouble->kind;
  if (kind != outcome_kind::conflict && kind != outcome_kind::refused) return std::nullopt;
  return base::printable(slot->retry.trouble->reason);
}

bool undecided(const ports::slot* slot) {
  return slot != nullptr && slot->retry.trouble && slot->retry.trouble->kind == outcome_kind::exists;
}

}  // namespace

trouble_log::trouble_log(std::string peer) : peer_(std::move(peer)), reach_(peer_, "cannot be reached") {}

void trouble_log::listed(const base::result<>& answer, time_point asked, time_point now) {
  if (answer) {
    failing_since_.reset();
    if (reach_.active()) patience_ = std::min<std::chrono::seconds>(2 * patience_, most_patience);
    reach_.note(answer, now);
    if (!well_since_) well_since_ = now;
    if (now - *well_since_ >= well_enough) patience_ = least_patience;
    return;
  }
  well_since_.reset();
  if (!failing_since_) failing_since_ = asked;
  if (now - *failing_since_ >= patience_) reach_.note(answer, now);
}

void trouble_log::lost(std::size_t operations, const std::string& reason, time_point now) {
  const auto suppressed = lost_.admit(now);
  if (!suppressed) return;
  auto text = fmt::format("no answer, asking the peer what it holds operations={} reason=\"{}\"", operations,
                          base::printable(reason));
  if (*suppressed > 0) text += fmt::format(" suppressed={}", *suppressed);
  base::log::write(base::log::level::warn, peer_, text);
}

void trouble_log::changed(const port_key& key, const ports::slot* slot, time_point now) {
  if (undecided(slot)) return;
  const auto trouble = trouble_of(slot);
  const auto at = ports_.find(key);
  if (trouble) {
    auto& port = at != ports_.end() ? at->second : ports_.try_emplace(key, begin_port(key, now)).first->second;
    if (port) port->note(base::fail(*trouble), now);
    return;
  }
  if (at == ports_.end()) return;
  if (auto& port = at->second) port->note({}, now);
  ports_.erase(at);
}

std::optional<base::log::episode> trouble_log::begin_port(const port_key& key, time_point now) {
  const auto suppressed = port_lines_.admit(now);
  if (!suppressed) return std::nullopt;
  if (*suppressed > 0)
    base::log::write(base::log::level::warn, peer_, fmt::format("cannot change more ports suppressed={}", *suppressed));
  return base::log::episode(peer_, "cannot change " + to_string(key));
}

void trouble_log::changed_all(const reconcile_fsm::slot_map& slots, time_point now) {
  for (const auto& [key, slot] : slots)
    if (trouble_of(&slot)) changed(key, &slot, now);
  for (auto at = ports_.begin(); at != ports_.end();) {
    const auto key = (at++)->first;
    const auto found = slots.find(key);
    changed(key, found == slots.end() ? nullptr : &found->second, now);
  }
}

}  // namespace ports
