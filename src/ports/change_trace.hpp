// change_trace: where the time of a change goes, from an engine's event to a peer's answer. Pure: time is an argument.
// Made with the flag -trace-events; sources, controller and reconcilers share it. Without the flag their pointer is
// null, and they read no clock for it.
//
//   event read ─ parse ─ queue ─ engine ─ publish ─ plan ─ journal ─ send ─ answer
//
// Every step has a name, and ends with the call of that name. A change that no event has caused (a list, a watch, a
// scan) begins with `published`. An end needs no question, so it has neither queue nor engine.
//
// A port is known here by its protocol and its number inside the VM alone: peers hold it under different addresses.
// Bounded: when there are too many events or changes under way, all of them are forgotten, and those that come then are
// traced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ports/binding.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"
#include "ports/source_id.hpp"

namespace ports {

class change_trace {
 public:
  static constexpr std::size_t max_events = 4'096;
  static constexpr std::size_t max_changes = 65'536;

  // In a source: an event about a container was read and parsed; a question about it begins; its answer is there.
  void event(source_id source, const std::string& owner, time_point read, time_point parsed);
  void asked(source_id source, const std::string& owner, time_point now);
  void answered(source_id source, const std::string& owner, time_point now);

  // In the controller: the source's bindings change from `before` to `after`; the plan is made.
  void published(source_id source, std::vector<binding> before, std::vector<binding> after, time_point now);
  void planned(time_point now);

  // In a reconciler: the journal has its line. Then the outcome: returns the line for the log, if the change is traced.
  void journaled(std::string_view peer, const forward& f, time_point now);
  [[nodiscard]] std::optional<std::string> finished(std::string_view peer, const operation& done, const outcome& result,
                                                    time_point now);

 private:
  using port = std::pair<net::protocol, std::uint16_t>;
  using owner_key = std::pair<source_id, std::string>;
  enum class step : std::uint8_t { read, parse, queue, engine, publish, plan, journal, send, answer };
  using steps = std::map<step, time_point>;  // when each ended
  struct change {
    std::string owner;
    steps before_peers;
    std::map<std::string, time_point, std::less<>> journaled;  // by peer
    std::set<std::pair<std::string, verb>> done;               // by peers
  };
  static std::string describe(const steps& all);
  void begin(source_id source, const binding& changed, time_point now);

  std::map<owner_key, steps> events_;
  std::map<port, change> changes_;
  std::vector<port> unplanned_;
};

}  // namespace ports
