#include "sinks/loopback/loopback_sink.hpp"

#include "io/first_of.hpp"

namespace loopback {

using ports::outcome;
using ports::outcome_kind;
using ports::verb;

loopback_sink::loopback_sink(const io::executor& where, loopback_options options)
    : guard_(where, options.api, options.rules.rules.tag, options.rules.programs),
      rules_(where, std::move(options.rules)),
      never_(where) {}

// Ports that turn out not to be served are no longer wanted here: the reconciler asks for them again.
io::task<base::result<>> loopback_sink::settle(adopt_live adopt) {
  auto settled = co_await rules_.settle(wanted_, adopt);
  if (!settled) co_return std::unexpected(settled.error());
  troubles_ = std::move(*settled);
  for (const auto& [key, why] : troubles_) wanted_.erase(key);
  co_return base::result<>{};
}

io::task<base::result<ports::peer_state>> loopback_sink::list() {
  ports::peer_state state;
  if (closed_) co_return state;
  co_await guard_.ensure();
  if (const auto settled = co_await settle(adopt_live::yes); !settled) co_return std::unexpected(settled.error());
  for (const auto& [key, held] : wanted_) state.held.push_back({key, true, held.container_port, held.owner});
  co_return state;
}

void loopback_sink::admit(const ports::operation& op, outcome& answer) {
  const auto& key = op.target.key;
  if (op.what == verb::remove) {
    wanted_.erase(key);
  } else if (key.address.is_unspecified() && op.target.source != ports::source_id::kubernetes) {
    answer = {outcome_kind::refused, "a wildcard address needs no help"};
  } else if (key.protocol == net::protocol::sctp || key.port == 0) {
    answer = {outcome_kind::refused, "only tcp and udp ports"};
  } else {
    wanted_.insert_or_assign(key, op.target);
  }
}

outcome loopback_sink::outcome_of(const ports::operation& op) const {
  const auto trouble = troubles_.find(op.target.key);
  if (op.what == verb::remove || trouble == troubles_.end()) return {};
  return {outcome_kind::conflict, trouble->second};
}

io::task<std::vector<outcome>> loopback_sink::apply(std::vector<ports::operation> batch) {
  std::vector<outcome> outcomes(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) admit(batch[i], outcomes[i]);
  base::result<> settled;
  if (!closed_) settled = co_await settle(adopt_live::no);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (outcomes[i].kind != outcome_kind::done) continue;
    outcomes[i] = settled ? outcome_of(batch[i]) : outcome{outcome_kind::unknown, settled.error().message()};
  }
  co_return outcomes;
}

io::task<> loopback_sink::changed() {
  while (closed_) co_await never_.wait();
  co_await io::first_of(rules_.changed(), guard_.keep());
}

io::task<> loopback_sink::close() {
  closed_ = true;
  wanted_.clear();
  co_await guard_.remove();
  co_await rules_.remove_all();
}

}  // namespace loopback
