// rejected_rules: the ports that have no rule for a minute because iptables rejected theirs twice. A line that failed
// because the table changed meanwhile does not fail after the next reading. One that fails twice is rejected by the
// kernel, perhaps for a short time only. Pure; time is an argument.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/result.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

class rejected_rules {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds lasts{60};

  // iptables-restore rejected the plan. True if it rejected the same line twice in a row.
  bool note_failure(const rule_plan& plan, const base::error& why, time_point now);
  void note_success() { suspect_.clear(); }

  [[nodiscard]] std::set<ports::port_key> ports(time_point now);
  // A line that belongs to no port was rejected: no rule of ours can work.
  [[nodiscard]] bool all(time_point now) const { return now < all_until_; }
  // When the first rejection ends.
  [[nodiscard]] std::optional<time_point> next_end(time_point now) const;

 private:
  std::string suspect_;  // the line of the last failure
  std::map<ports::port_key, time_point> until_;
  time_point all_until_{};
};

}  // namespace loopback
