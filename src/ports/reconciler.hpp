// reconciler: the shell of one reconcile_fsm. Passes the machine's operations to its sink and the answers back, and
// writes the journal before each call. One per sink; a dead or hung peer does not delay the others.
//
// The journal's line is written before the request is sent. The disk follows it by sync_pause: the thread that does it
// would otherwise wake up between the two, once for each line.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "async/condition.hpp"
#include "async/task.hpp"
#include "async/work_signal.hpp"
#include "base/episode.hpp"
#include "ports/change_trace.hpp"
#include "ports/journal.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/trouble_log.hpp"

namespace ports {

class reconciler {
 public:
  // Without a journal, only what this run has added is ever removed.
  reconciler(const async::executor& where, std::unique_ptr<sink> peer, std::optional<journal> book,
             reconcile_options options = {});

  // A journal was wanted and could not be opened; before run().
  void lack_journal(const base::error& why) { no_journal_ = why.message(); }

  // Logs where the time of each change goes; before run().
  void trace_to(std::shared_ptr<change_trace> trace) { trace_ = std::move(trace); }

  // The whole desired state, see reconcile_fsm::want.
  void want(const forward_map& desired, source_set settled, std::uint64_t epoch);

  // Runs until cancelled.
  async::task<> run();

  // Withdraws everything of ours from the peer and closes the sink. Returns when that is done, when the peer is down,
  // or at the deadline. run() must still be running; cancel it afterwards.
  async::task<> drain(async::clock::time_point deadline);

  [[nodiscard]] const sink& peer() const { return *peer_; }
  [[nodiscard]] const reconcile_fsm& machine() const { return machine_; }
  // Why a crash may leave ports open at the peer: the journal does not have them. Empty if it does, or none is wanted.
  [[nodiscard]] const std::string& journal_trouble() const;
  // Notified at every change of the machine, and when the journal's trouble begins or ends.
  [[nodiscard]] async::condition& changed() { return changed_; }

 private:
  async::task<> work();
  async::task<> watch();
  async::task<> follow_list();
  async::task<> sync_journal(journal* book);
  void moved();
  void write_ahead(const std::vector<operation>& batch);
  void report(const std::vector<operation>& batch, const std::vector<outcome>& outcomes);
  void note(const base::result<>& written);
  void trace_journal(const std::vector<operation>& batch) const;
  void trace_outcome(const operation& done, const outcome& result, time_point now) const;

  std::unique_ptr<sink> peer_;
  std::optional<journal> journal_;
  reconcile_fsm machine_;
  trouble_log troubles_;
  std::string no_journal_;
  base::log::episode journal_trouble_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // what the journal's thread posts checks it
  async::work_signal due_;    // for a worker: there may be an operation to do
  async::condition list_;     // the peer may have to be listed
  async::condition written_;  // the journal has lines that are not on the disk
  async::condition changed_;
  std::shared_ptr<change_trace> trace_;  // may be nullptr
};

}  // namespace ports
