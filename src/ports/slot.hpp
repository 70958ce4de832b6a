// slot: what the state machine knows about one key at one peer. reconcile_fsm owns it. Pure.
//
//   absent     the peer does not hold the key
//   uncertain  the outcome of an operation, or of a crash, is unknown
//   ours       the peer holds the key because of this agent
//   foreign    the peer holds exactly what is wanted, because of another program
//
// `transitions` below has the next state for each event. An event that cannot happen in a state is an error of the
// code: apply() throws std::logic_error, and the program aborts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "ports/retry_state.hpp"

namespace ports {

enum class slot_state : std::uint8_t { absent, uncertain, ours, foreign };  // in the order of slot::held

enum class slot_event : std::uint8_t {
  unwanted,             // the plan no longer has the key
  listed_missing,       // the peer's list does not have it
  listed_missing_late,  // the same, but an addition without an answer may still be carried out
  listed_exact,         // the list has what the agent would have made
  listed_exact_own,     // the same, and the peer belongs to the agent alone
  listed_other,         // the list has another forward under the key
  peer_unsure,          // a peer that cannot list was restarted, or wants everything again
  add_done,
  add_denied,       // conflict, exists or refused
  add_denied_late,  // the same, but an earlier addition may still be carried out
  add_unknown,
  add_unsent,
  remove_done,
  remove_done_late,  // an earlier addition may still be carried out: the key is removed once more
  remove_denied,
  remove_unknown,
  remove_unsent,
};
inline constexpr std::size_t slot_event_count = 17;

// What the outcome of an operation means. `late`: an earlier addition without an answer may still be carried out.
[[nodiscard]] slot_event event_of(verb what, outcome_kind kind, bool late);

// Who made a forward that is ours, or may be.
enum class origin : std::uint8_t {
  this_run,
  journal,  // an earlier run; the source that had claimed it is known
  found,    // an earlier run; the peer holds it, and its source is not known
};

struct transition {
  slot_event event;
  std::array<std::optional<slot_state>, 4> next;  // from absent, uncertain, ours, foreign; empty: cannot happen
};

struct transition_table {
  using enum slot_state;
  using enum slot_event;
  static constexpr std::optional<slot_state> none{};
  // clang-format off
  static constexpr std::array<transition, slot_event_count> rows{{
      //                     absent     uncertain  ours       foreign
      {unwanted,            {absent,    uncertain, ours,      absent}},
      {listed_missing,      {absent,    absent,    absent,    absent}},
      {listed_missing_late, {none,      uncertain, none,      none}},
      {listed_exact,        {foreign,   ours,      ours,      foreign}},
      {listed_exact_own,    {ours,      ours,      ours,      none}},
      {listed_other,        {absent,    absent,    absent,    absent}},
      {peer_unsure,         {absent,    uncertain, uncertain, foreign}},
      {add_done,            {ours,      ours,      none,      none}},
      {add_denied,          {absent,    absent,    none,      none}},
      {add_denied_late,     {uncertain, uncertain, none,      none}},
      {add_unknown,         {uncertain, uncertain, none,      none}},
      {add_unsent,          {absent,    uncertain, none,      none}},
      {remove_done,         {none,      absent,    absent,    none}},
      {remove_done_late,    {none,      uncertain, uncertain, none}},
      {remove_denied,       {none,      uncertain, ours,      none}},
      {remove_unknown,      {none,      uncertain, uncertain, none}},
      {remove_unsent,       {none,      uncertain, ours,      none}},
  }};
  // clang-format on
};
[[nodiscard]] std::optional<slot_state> next_state(slot_state from, slot_event event);

struct slot {
  // `applied`: what is there, or may be. `since`: when it was applied first; sending it to the same peer again does not
  // move it. Without a value: not known to be there.
  struct absent {};
  struct uncertain {
    forward applied;
    origin from = origin::this_run;
    time_point since{};
  };
  struct ours {
    forward applied;
    origin from = origin::this_run;
    time_point since{};
  };
  struct foreign {
    forward applied;
    time_point since{};
  };

  std::optional<forward> wanted;
  time_point wanted_since{};  // when it was published, until the peer holds it
  std::variant<absent, uncertain, ours, foreign> held;
  std::optional<verb> in_flight;
  retry_state retry;
  // Until then an addition without an answer may still be carried out. max(): the peer has not been listed since.
  time_point late_until{};

  [[nodiscard]] slot_state state() const { return static_cast<slot_state>(held.index()); }
  [[nodiscard]] const forward* applied() const;  // null: absent
  [[nodiscard]] time_point since() const;
  [[nodiscard]] origin from() const;
  // The peer holds it because of this agent, or may.
  [[nodiscard]] bool may_be_ours() const;
  [[nodiscard]] bool is_forgotten() const { return !wanted && state() == slot_state::absent && !in_flight; }

  // `value`: what is there from now on; without one it stays as it is.
  void apply(slot_event event, const std::optional<forward>& value, time_point now);
  void reset_since();

 private:
  [[nodiscard]] origin origin_after(slot_event event) const;
  [[nodiscard]] time_point since_after(slot_event event, time_point now) const;
};

}  // namespace ports
