// repair_record: when the one segment that a link loses goes out again. It watches a random_link.
#pragma once

#include <optional>

#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {

class repair_record {
 public:
  void note(const carried& c, time_point now, bool lost) {
    const auto length = c.view().length();
    if (length == 0 || c.header.flags.syn) return;
    if (lost && !lost_at_ && c.payload.size() != 1) {  // a single byte may be a probe of a shut window
      lost_at_ = now;
      begin_ = c.header.number;
      return;
    }
    if (!lost_at_ || repaired_at_) return;
    if (c.header.number <= begin_ && begin_ < c.header.number + length)
      repaired_at_ = now;
    else if (c.header.number > begin_ && ++behind_ == 3)
      third_at_ = now;
  }

  [[nodiscard]] bool has_lost() const { return lost_at_.has_value(); }
  // From the loss to the repetition.
  [[nodiscard]] std::optional<duration> took() const {
    return repaired_at_ ? std::optional(*repaired_at_ - *lost_at_) : std::nullopt;
  }
  // From the third segment behind the lost one, whose arrival shows the loss, to the repetition.
  [[nodiscard]] std::optional<duration> took_since_third() const {
    return repaired_at_ && third_at_ ? std::optional(*repaired_at_ - *third_at_) : std::nullopt;
  }

 private:
  std::optional<time_point> lost_at_, third_at_, repaired_at_;
  sequence begin_;
  unsigned behind_ = 0;
};

}  // namespace netstack::tcp
