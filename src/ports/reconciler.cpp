#include "ports/reconciler.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "ports/binding.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/journal.hpp"
#include "ports/peer_listing.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/sink.hpp"
#include "ports/source_id.hpp"

namespace ports {
namespace {

constexpr std::chrono::milliseconds sync_pause{2};  // lines of one burst are synced together

}  // namespace

reconciler::reconciler(const async::executor& where, std::unique_ptr<sink> peer, std::optional<journal> book,
                       reconcile_options options)
    : peer_(std::move(peer)),
      journal_(std::move(book)),
      machine_(peer_->traits(), options),
      troubles_(std::string(peer_->name())),
      journal_trouble_(std::string(peer_->name()), "cannot write the journal"),
      due_(where),
      list_(where),
      written_(where),
      changed_(where) {
  if (!journal_) return;
  machine_.remember(journal_->remembered(), journal_->same_boot(), async::clock::now());
  note(journal_->rewritten());
  journal_->report_failed_syncs([this, where, alive = std::weak_ptr<const void>(alive_)](const base::error& why) {
    async::asio::post(where, [this, alive, why] {
      if (alive.lock() && !journal_->sound()) note(std::unexpected(why));
    });
  });
}

void reconciler::want(const forward_map& desired, source_set settled, std::uint64_t epoch) {
  machine_.want(desired, settled, epoch, async::clock::now());
  moved();
}

// The machine has changed. A worker comes first: what it sends is what others wait for.
void reconciler::moved() {
  due_.notify_one();
  if (machine_.listing().status() == peer_status::awaiting) list_.notify_all();
  changed_.notify_all();
}

async::task<> reconciler::run() {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  const std::string name(peer_->name());
  for (unsigned i = 0; i < peer_->traits().workers; ++i) tasks.spawn(name + " worker", work());
  tasks.spawn(name + " watch", watch());
  tasks.spawn(name + " list", follow_list());
  if (journal_) {
    auto& book = *journal_;
    tasks.spawn(name + " journal", sync_journal(&book));
  }
  co_await tasks.join_or_stop();
}

// One worker wakes up for a change, and wakes the next if it leaves operations behind. Before it sleeps again it
// reports, and takes what has become due by that.
async::task<> reconciler::work() {
  const auto limit = peer_->traits().batch;
  while (true) {
    const auto now = async::clock::now();
    auto batch = machine_.take(limit, now);
    if (batch.empty()) {
      co_await due_.wait_until(
          machine_.wake_at(now));  // of the same moment: what falls due in between is not slept over
      continue;
    }
    if (batch.size() == limit) due_.notify_one();
    write_ahead(batch);
    trace_journal(batch);
    const auto outcomes = co_await peer_->apply(batch);
    report(batch, outcomes);
  }
}

// The lines that were written while it pauses are synced with the first one. A file that is not sound is written anew.
async::task<> reconciler::sync_journal(journal* book) {
  while (true) {
    while (!book->unsynced()) {
      co_await written_.wait_until(book->sound() ? time_point::max() : book->retry_at());
      if (!book->sound() && async::clock::now() >= book->retry_at()) note(book->retry());
    }
    co_await async::sleep_for(sync_pause);
    book->sync();
  }
}

async::task<> reconciler::follow_list() {
  while (true) {
    const auto before = async::clock::now();
    if (!machine_.should_list(before)) {
      const bool awaited = machine_.listing().status() == peer_status::awaiting;
      co_await list_.wait_until(awaited ? machine_.wake_at(before) : time_point::max());
      continue;
    }
    const auto asked = async::clock::now();
    const auto answer = co_await peer_->list();
    const auto now = async::clock::now();
    const auto lost = machine_.listed(answer, now);
    std::vector<port_key> keys;
    keys.reserve(lost.size());
    for (const auto& f : lost) keys.push_back(f.key);
    if (journal_ && !keys.empty()) note(journal_->erase(keys));
    troubles_.listed(answer ? base::result<>{} : std::unexpected(answer.error()), asked, now);
    troubles_.changed_all(machine_.slots(), now);
    moved();
  }
}

// A peer is watched while it is there; one whose return can be noticed, also while it is not.
async::task<> reconciler::watch() {
  const bool notices_return = peer_->traits().announces_return || peer_->traits().hints_return;
  while (true) {
    if (machine_.listing().status() != peer_status::synced && !notices_return) {
      co_await changed_.wait();
      continue;
    }
    co_await peer_->changed();
    machine_.peer_changed(async::clock::now());
    moved();
  }
}

async::task<> reconciler::drain(async::clock::time_point deadline) {
  const unsigned failures_before = machine_.listing().failures();
  machine_.drain(async::clock::now());
  moved();
  while (!machine_.settled() && async::clock::now() < deadline) {
    if (machine_.listing().failures() > failures_before || !machine_.holds_ours()) break;
    co_await changed_.wait_until(deadline);
  }
  const auto closed = co_await async::until(deadline, peer_->close());
  if (!closed) base::log::warn(peer_->name(), "did not end in time, what is ours may be left there");
  if (journal_) journal_->flush();
}

void reconciler::write_ahead(const std::vector<operation>& batch) {
  if (!journal_) return;
  std::vector<forward> adds;
  for (const auto& op : batch)
    if (op.what == verb::add) adds.push_back(op.target);
  note(journal_->record(adds));
}

void reconciler::report(const std::vector<operation>& batch, const std::vector<outcome>& outcomes) {
  static const outcome no_answer{outcome_kind::unknown, "the sink gave no outcome"};
  std::vector<port_key> gone;
  std::vector<outcome> lost;
  const auto now = async::clock::now();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& key = batch[i].target.key;
    const auto& result = i < outcomes.size() ? outcomes[i] : no_answer;
    machine_.finished(batch[i], result, now);
    trace_outcome(batch[i], result, now);
    if (result.kind == outcome_kind::unknown || result.kind == outcome_kind::unsent) lost.push_back(result);
    const auto slot = machine_.slots().find(key);
    troubles_.changed(key, slot == machine_.slots().end() ? nullptr : &slot->second, now);
    base::log::debug(peer_->name(), "{} {} outcome={} reason=\"{}\"",
                     batch[i].what == verb::add ? "expose" : "unexpose", to_string(key), to_string(result.kind),
                     base::printable(result.reason));
    if (!machine_.may_be_ours(key)) gone.push_back(key);
  }
  if (!lost.empty()) troubles_.lost(lost.size(), lost.front().reason, now);
  if (journal_ && !gone.empty()) note(journal_->erase(gone));
  moved();
}

void reconciler::trace_journal(const std::vector<operation>& batch) const {
  if (!trace_) return;
  const auto now = async::clock::now();
  for (const auto& op : batch) trace_->journaled(peer_->name(), op.target, now);
}

void reconciler::trace_outcome(const operation& done, const outcome& result, time_point now) const {
  if (!trace_) return;
  if (const auto line = trace_->finished(peer_->name(), done, result, now)) base::log::info("trace", "{}", *line);
}

// A success that did not reach the file ends no trouble.
void reconciler::note(const base::result<>& written) {
  if (!journal_) return;
  if (journal_->unsynced() || !journal_->sound()) written_.notify_all();
  const bool troubled = journal_trouble_.active();
  if (!written || journal_->sound()) journal_trouble_.note(written);
  if (journal_trouble_.active() != troubled) changed_.notify_all();
}

const std::string& reconciler::journal_trouble() const {
  return journal_trouble_.active() ? journal_trouble_.reason() : no_journal_;
}

}  // namespace ports
