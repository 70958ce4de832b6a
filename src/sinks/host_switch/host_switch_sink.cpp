#include "sinks/host_switch/host_switch_sink.hpp"

#include "io/timeout.hpp"
#include "sinks/host_switch/forwarder_codec.hpp"

namespace host_switch {
namespace {

constexpr std::chrono::milliseconds least_pause{500};  // between two lists, however short the connections live

}  // namespace

host_switch_sink::connection_ptr host_switch_sink::take_kept() {
  while (!idle_.empty()) {
    auto kept = std::move(idle_.back());
    idle_.pop_back();
    if (kept->usable()) return kept;
  }
  return nullptr;
}

io::task<base::result<host_switch_sink::connection_ptr>> host_switch_sink::open() {
  auto opened = co_await http::connection::open(options_.server, options_.deadline);
  if (!opened) co_return std::unexpected(opened.error());
  co_return std::make_shared<http::connection>(std::move(*opened));
}

void host_switch_sink::give_back(connection_ptr connection) {
  if (connection->usable() && idle_.size() < options_.workers) idle_.push_back(std::move(connection));
}

io::task<base::result<http::response>> host_switch_sink::ask_all(connection_ptr connection) {
  http::request all{.target = "/services/forwarder/all"};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = 64 << 20};
  co_return co_await connection->exchange(std::move(all), limits);
}

// The watched connection's end calls for a list at the very time at which the server is about to close the others,
// which have been idle for as long: a kept connection that breaks says nothing of the server, and asking again does no
// harm.
io::task<base::result<ports::peer_state>> host_switch_sink::list() {
  base::result<http::response> answer = base::fail(std::errc::not_connected, "");
  auto connection = take_kept();
  if (connection) answer = co_await ask_all(connection);
  if (!answer && answer.error().code != std::errc::timed_out) {
    auto opened = co_await open();
    if (!opened) co_return std::unexpected(opened.error());
    connection = std::move(*opened);
    answer = co_await ask_all(connection);
  }
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status != 200)
    co_return base::fail("host-switch answered " + std::to_string(answer->status) + " to a list");
  if (watched_ && watched_->usable())
    give_back(std::move(connection));
  else
    watched_ = std::move(connection);
  co_return parse_all(answer->body, options_.tap);
}

// A request that went over a connection which then broke may have been acted upon: it is not sent again, the next list
// tells.
io::task<ports::outcome> host_switch_sink::perform(ports::operation op) {
  auto connection = take_kept();
  if (!connection) {
    auto opened = co_await open();
    if (!opened) co_return ports::outcome{ports::outcome_kind::unknown, opened.error().message()};
    connection = std::move(*opened);
  }
  auto request = encode(op, options_.tap);
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = 64 << 10};
  const auto answer = co_await connection->exchange(std::move(request), limits);
  if (!answer) co_return ports::outcome{ports::outcome_kind::unknown, answer.error().message()};
  give_back(std::move(connection));
  co_return classify(op.what, *answer);
}

io::task<std::vector<ports::outcome>> host_switch_sink::apply(std::vector<ports::operation> batch) {
  std::vector<ports::outcome> outcomes;
  for (const auto& op : batch) {
    outcomes.push_back(co_await perform(op));
    if (outcomes.back().kind == ports::outcome_kind::unknown) break;  // the rest would wait for the same deadline
  }
  outcomes.resize(batch.size(), outcomes.back());
  co_return outcomes;
}

// A server that keeps no connection open is listed at the pace of `least_pause`, not of the network.
io::task<> host_switch_sink::changed() {
  const auto watched = watched_;
  if (!watched) co_return co_await io::sleep_for(options_.resync);
  const auto earliest = io::clock::now() + least_pause;
  static_cast<void>(co_await io::within(options_.resync, watched->closed()));
  co_await io::sleep_until(earliest);
}

io::task<> host_switch_sink::close() {
  idle_.clear();
  co_return;
}

}  // namespace host_switch
