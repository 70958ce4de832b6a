#include "sinks/loopback/loopback_sink.hpp"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <set>
#include <utility>
#include <vector>

#include "async/first_of.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "net/protocol.hpp"
#include "ports/serving.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/nat_rules.hpp"

namespace loopback {

using ports::outcome;
using ports::outcome_kind;
using ports::verb;

loopback_sink::loopback_sink(const async::executor& where, loopback_options options)
    : guard_(where, options.api, options.rules.rules, options.rules.programs),
      rules_(where, std::move(options.rules)),
      turns_(where),
      displaced_(where),
      never_(where) {}

// A port that cannot be served is no longer wanted here. The reconciler applies it again and gets the reason.
async::task<base::result<>> loopback_sink::settle(adopt_live adopt) {
  auto settled = co_await rules_.settle(wanted_, adopt);
  if (!settled) co_return std::unexpected(settled.error());
  troubles_ = std::move(*settled);
  for (const auto& [key, trouble] : troubles_) wanted_.erase(key);
  co_return base::result<>{};
}

async::task<base::result<ports::peer_state>> loopback_sink::list() {
  ports::peer_state state;
  const auto mine = co_await turns_.take();
  if (closed_) co_return state;
  co_await guard_.ensure();
  if (const auto settled = co_await settle(adopt_live::yes); !settled) co_return std::unexpected(settled.error());
  for (const auto& [key, held] : wanted_) state.held.push_back({key, true, held.container_port, held.owner.str()});
  co_return state;
}

void loopback_sink::admit(const ports::operation& op, outcome& answer) {
  const auto& key = op.target.key;
  if (op.what == verb::remove) {
    wanted_.erase(key);
  } else if (key.address.is_unspecified() && op.target.served != ports::serving::every_address) {
    answer = {outcome_kind::refused, "a wildcard address needs no rule"};
  } else if (key.protocol == net::protocol::sctp || key.port == 0) {
    answer = {outcome_kind::refused, "neither a tcp nor a udp port"};
  } else {
    wanted_.insert_or_assign(key, op.target);
  }
}

outcome loopback_sink::outcome_of(const ports::operation& op) const {
  const auto trouble = troubles_.find(op.target.key);
  if (op.what == verb::remove || trouble == troubles_.end()) return {};
  return trouble->second;
}

async::task<std::vector<outcome>> loopback_sink::apply(std::vector<ports::operation> batch) {
  std::vector<outcome> outcomes(batch.size());
  const auto mine = co_await turns_.take();
  for (std::size_t i = 0; i < batch.size(); ++i) admit(batch[i], outcomes[i]);
  base::result<> settled;
  if (!closed_) settled = co_await settle(adopt_live::no);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (outcomes[i].kind != outcome_kind::done) continue;
    outcomes[i] = settled ? outcome_of(batch[i]) : outcome{outcome_kind::unknown, settled.error().message()};
  }
  if (settled) note_displaced(batch);
  co_return outcomes;
}

// Wakes the reconciler if a port outside this batch is no longer served.
void loopback_sink::note_displaced(const std::vector<ports::operation>& batch) {
  std::set<ports::port_key> answered;
  for (const auto& op : batch) answered.insert(op.target.key);
  if (std::ranges::all_of(troubles_, [&](const auto& trouble) { return answered.contains(trouble.first); })) return;
  has_displaced_ = true;
  displaced_.notify_all();
}

async::task<> loopback_sink::wait_for_displaced() {
  while (!has_displaced_) co_await displaced_.wait();
}

async::task<> loopback_sink::changed() {
  while (closed_) co_await never_.wait();
  co_await async::first_of(wait_for_displaced(), async::first_of(rules_.changed(), guard_.keep()));
  has_displaced_ = false;
}

async::task<> loopback_sink::close() {
  closed_ = true;
  rules_.hurry();
  const auto mine = co_await turns_.take();
  wanted_.clear();
  co_await guard_.remove();
  co_await rules_.remove_all();
}

}  // namespace loopback
