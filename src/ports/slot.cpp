#include "ports/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <variant>

#include "ports/retry_state.hpp"
#include "ports/sink.hpp"

namespace ports {
namespace {

template <class T>
constexpr bool is_absent = std::is_same_v<std::remove_cvref_t<T>, slot::absent>;

bool is_listed(slot_event event) { return event == slot_event::listed_exact || event == slot_event::listed_exact_own; }

// The peer has answered an operation, or may have carried it out.
bool is_outcome(slot_event event) {
  return event >= slot_event::add_done && event != slot_event::add_unsent && event != slot_event::remove_unsent;
}

slot_event event_of_add(outcome_kind kind, bool late) {
  using enum slot_event;
  switch (kind) {
    case outcome_kind::done: return add_done;
    case outcome_kind::unknown: return add_unknown;
    case outcome_kind::unsent: return add_unsent;
    case outcome_kind::exists:
    case outcome_kind::conflict:
    case outcome_kind::refused: break;
  }
  return late ? add_denied_late : add_denied;
}

slot_event event_of_remove(outcome_kind kind, bool late) {
  using enum slot_event;
  switch (kind) {
    case outcome_kind::done: return late ? remove_done_late : remove_done;
    case outcome_kind::unknown: return remove_unknown;
    case outcome_kind::unsent: return remove_unsent;
    case outcome_kind::exists:
    case outcome_kind::conflict:
    case outcome_kind::refused: break;
  }
  return remove_denied;
}

}  // namespace

slot_event event_of(verb what, outcome_kind kind, bool late) {
  return what == verb::add ? event_of_add(kind, late) : event_of_remove(kind, late);
}

std::optional<slot_state> next_state(slot_state from, slot_event event) {
  const auto row = std::ranges::find(transition_table::rows, event, &transition::event);
  return row->next.at(static_cast<std::size_t>(from));
}

const forward* slot::applied() const {
  return std::visit(
      [](const auto& h) -> const forward* {
        if constexpr (is_absent<decltype(h)>)
          return nullptr;
        else
          return &h.applied;
      },
      held);
}

time_point slot::since() const {
  return std::visit(
      [](const auto& h) {
        if constexpr (is_absent<decltype(h)>)
          return time_point{};
        else
          return h.since;
      },
      held);
}

void slot::reset_since() {
  std::visit(
      [](auto& h) {
        if constexpr (!is_absent<decltype(h)>) h.since = {};
      },
      held);
}

origin slot::from() const {
  if (const auto* h = std::get_if<uncertain>(&held)) return h->from;
  if (const auto* h = std::get_if<ours>(&held)) return h->from;
  return origin::this_run;
}

bool slot::may_be_ours() const { return state() == slot_state::uncertain || state() == slot_state::ours; }

origin slot::origin_after(slot_event event) const {
  if (is_outcome(event)) return origin::this_run;
  if (event != slot_event::listed_exact_own || may_be_ours()) return from();
  return wanted ? origin::journal : origin::found;
}

time_point slot::since_after(slot_event event, time_point now) const {
  if (event == slot_event::add_done) return since() == time_point{} ? now : since();
  return is_listed(event) && next_state(state(), event) != state() ? now : since();
}

void slot::apply(slot_event event, const std::optional<forward>& value, time_point now) {
  const auto next = next_state(state(), event);
  if (!next) throw std::logic_error("a slot's event that cannot happen in its state");
  if (*next == slot_state::absent) {
    held = absent{};
    return;
  }
  const auto applies = value ? *value : *applied();
  const auto when = since_after(event, now);
  const auto made_by = origin_after(event);
  if (*next == slot_state::uncertain) held = uncertain{applies, made_by, when};
  if (*next == slot_state::ours) held = ours{applies, made_by, when};
  if (*next == slot_state::foreign) held = foreign{applies, when};
}

}  // namespace ports
