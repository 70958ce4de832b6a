// reconcile_fsm: makes one peer hold what is wanted. Pure: every call gets the time. The reconciler asks for the next
// step with should_list() and take(), does it, and reports with listed() and finished().
//
// The peer is
//   awaiting  what it holds is not known: only should_list() may answer, after the back-off
//   syncing   list() is under way: nothing else may be
//   synced    take() hands out operations that are due. At most one is under way for a protocol and port. A removal
//             that is due comes before an addition at another address of the port.
//
// Each key has a slot, whose states and transitions are in slot.hpp. What a slot needs next:
//   absent     add if wanted
//   uncertain  add again if wanted, as additions can be repeated; remove if not
//   ours       remove if no longer wanted, or if another value is wanted
//   foreign    nothing while it is what is wanted
//
// An addition without an answer may be carried out late. For a while from the next list on (late_limit) its slot stays
// uncertain although the peer does not list the key, so that a late forward counts as ours: a link that was away may
// carry the request only after the list. A removal is repeated at the end of that time. No
// other slot waits for it, nor for a removal that the peer rejected. If the peer reports another address of the port as
// busy, such a removal is tried at once.
//
// A slot waits for its own retry, for another address of its port that is due or in flight, for the port to be served
// inside the VM (forward::not_before), or for the peer's list. waits_for() says which.
//
// Only ours and uncertain are removed, and both come from this agent's operations or from the journal. A removal of
// what an earlier run left waits until the source that had claimed it has reported: "unknown" is not "nothing". Where
// that source is not known, all sources are waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/peer_counters.hpp"
#include "ports/peer_listing.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"

namespace ports {

struct reconcile_options {
  base::backoff peer_retry{std::chrono::milliseconds(50), std::chrono::milliseconds(1000), 0.2};
  retry_paces key_retry{};
  std::chrono::milliseconds announced_peer_retry_cap{30'000};  // for a peer whose return is announced
  std::chrono::milliseconds late_limit{60'000};                // how long after a list an addition may be carried out
  std::uint32_t seed = 1;                                      // of the jitter
};

class reconcile_fsm {
 public:
  struct by_port {  // all addresses of one port stand together
    bool operator()(const port_key& a, const port_key& b) const {
      return std::tie(a.protocol, a.port, a.address) < std::tie(b.protocol, b.port, b.address);
    }
  };
  using slot_map = std::map<port_key, slot, by_port>;

  reconcile_fsm(sink_traits traits, reconcile_options options);

  // What an earlier run left in the journal; before anything else. What the peer's first list lacks of it may still
  // come for late_limit: the kernel sends what a killed program has written. Where a link was away, it may send that
  // again only after the list. With `sources_may_keep` false it is removed without waiting for the sources: the journal
  // is older than the VM's boot, so nothing that it names runs any more, and nothing is under way.
  void remember(const std::vector<forward>& journaled, bool sources_may_keep, time_point now);

  // The whole desired state. `settled`: sources whose silence means "nothing". A new epoch makes the peer be listed
  // again.
  void want(const forward_map& desired, source_set settled, std::uint64_t epoch, time_point now);
  // From now on nothing is wanted, and nothing is waited for.
  void drain(time_point now);
  // The peer may have restarted, or come back: ask it now.
  void peer_changed(time_point now) { listing_.restart(now); }

  // True: call list() and report to listed(). Marks it as under way.
  [[nodiscard]] bool should_list(time_point now);
  // Returns forwards that were remembered or applied and turned out not to be ours: erase them from the journal.
  [[nodiscard]] std::vector<forward> listed(const base::result<peer_state>& answer, time_point now);

  // Up to `limit` operations that are due, marked as in flight; report each to finished().
  [[nodiscard]] std::vector<operation> take(std::size_t limit, time_point now);
  void finished(const operation& op, const outcome& result, time_point now);

  // After take() and should_list() had nothing to do at `now`: when to ask again if no event and no report comes
  // before; max() for never.
  [[nodiscard]] time_point wake_at(time_point now) const;

  // What the next operation of this key waits for besides its time, for people; empty: nothing.
  [[nodiscard]] std::string waits_for(const port_key& key, time_point now) const;

  [[nodiscard]] const peer_counters& counters() const { return counters_; }
  [[nodiscard]] const peer_listing& listing() const { return listing_; }
  [[nodiscard]] const slot_map& slots() const { return slots_; }
  // True when nothing is in flight and nothing is left to do, whatever the time.
  [[nodiscard]] bool settled() const;
  // The peer holds it by us, or may: it belongs into the journal.
  [[nodiscard]] bool may_be_ours(const port_key& key) const;
  // False: there is nothing on the peer, surely or possibly, that is ours, and nothing under way to it.
  [[nodiscard]] bool holds_ours() const;

 private:
  [[nodiscard]] std::optional<verb> needed(const slot& s) const;
  [[nodiscard]] bool may_be_claimed(const slot& s) const;
  using slot_range = std::ranges::subrange<slot_map::const_iterator>;
  [[nodiscard]] slot_range addresses_of(const port_key& key) const;
  [[nodiscard]] bool comes_first(const slot& s, time_point now) const;
  // The slot that `next` has to wait for; null: none.
  [[nodiscard]] const slot_map::value_type* obstacle(const port_key& key, verb next, time_point now) const;
  void schedule(slot_map::iterator at, time_point when);
  void reschedule(slot_map::iterator at, time_point now);
  void fail(slot_map::iterator at, const outcome& why, time_point now);
  void count(const operation& op, outcome_kind kind, slot& s, time_point now);
  void finish_done(slot_map::iterator at, slot_event event, time_point now);
  void finish_failed(slot_map::iterator at, const outcome& result, time_point now);
  void remove_others(const port_key& key, time_point now);
  void find_in_the_way(slot_map::iterator at, bool known, time_point now);
  void set_wanted(slot_map::iterator at, std::optional<forward> wanted, time_point now);
  [[nodiscard]] slot_event listed_event(const slot& s, const held_forward* held, time_point now) const;
  void adopt(slot_map::iterator at, const held_forward* held, time_point now, std::vector<forward>& lost);
  void judge_listed(slot_map::iterator at, slot_event event, time_point now);
  void adopt_all(const peer_state& answer, time_point now, std::vector<forward>& lost);
  void adopt_identity(const peer_state& answer, time_point now);
  std::uint32_t random();

  sink_traits traits_;
  reconcile_options options_;
  slot_map slots_;
  std::set<std::pair<time_point, port_key>> due_;  // exactly the slots that need something and are not in flight
  std::size_t in_flight_ = 0;
  peer_listing listing_;
  peer_counters counters_;
  bool draining_ = false;
  bool answers_ = true;  // the last list said what the peer holds
  std::string identity_;
  std::uint64_t epoch_ = 0;
  source_set settled_sources_;
  std::uint32_t random_;
};

}  // namespace ports
