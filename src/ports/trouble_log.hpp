// trouble_log: the log lines about one peer. Each trouble is logged when it begins and when it ends, however often it
// recurs.
//
// The peer: logged as unreachable after a second. If that recurs, only ever longer outages are logged.
//
// A port: conflict or refused. Logged when it begins, when the reason changes (at most once a minute), and when it
// ends. For 100 ports a minute; the others are counted.
//
// Lost answers: one line, then a count, because a broken connection affects many ports at once.
//
// Owned by the reconciler; time is an argument.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/episode.hpp"
#include "ports/reconcile_fsm.hpp"

namespace ports {

class trouble_log {
 public:
  explicit trouble_log(std::string peer);

  // The peer was called at `asked` and has answered, or failed, at `now`.
  void listed(const base::result<>& answer, time_point asked, time_point now);
  // Operations whose answers were lost, or that were not sent.
  void lost(std::size_t operations, const std::string& reason, time_point now);
  // After a change of this port's slot; null: there is none.
  void changed(const port_key& key, const ports::slot* slot, time_point now);
  // After a list, which may have changed any.
  void changed_all(const reconcile_fsm::slot_map& slots, time_point now);

 private:
  static constexpr std::chrono::seconds least_patience{1}, most_patience{60};
  static constexpr unsigned ports_a_minute = 100;

  // Nothing if too many ports got into trouble within a minute: containers that come and go can provoke that.
  std::optional<base::log::episode> begin_port(const port_key& key, time_point now);

  std::string peer_;
  base::log::episode reach_;
  std::optional<time_point> failing_since_, well_since_;
  std::chrono::seconds patience_ = least_patience;
  std::map<port_key, std::optional<base::log::episode>> ports_;  // in trouble; at most one for each slot
  base::log::throttle port_lines_{std::chrono::minutes(1), ports_a_minute};
  base::log::throttle lost_;
};

}  // namespace ports
