// source: where published ports are learnt. It reports to a source_feed (the port table's owner) by whole snapshots, or
// says that it cannot know at present ("degraded"): the table then keeps the last snapshot. An error is never an empty
// list.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "ports/snapshot.hpp"
#include "ports/source_id.hpp"

namespace ports {

// Who takes what sources report. Calls come on the control thread and do not block.
class source_feed {
 public:
  virtual ~source_feed() = default;
  virtual void publish(source_id id, snapshot now) = 0;
  // Called again with another text when the reason changes; publish() ends the degraded state.
  virtual void degraded(source_id id, base::error why) = 0;
};

class source {
 public:
  virtual ~source() = default;
  [[nodiscard]] virtual source_id id() const = 0;
  // Runs until cancelled: connects, lists, follows, and starts over when the engine goes and comes back. Never returns
  // and never throws for what the outside does. Reports degraded() at once while the engine is not there yet.
  virtual async::task<> run(source_feed& feed) = 0;
};

}  // namespace ports
