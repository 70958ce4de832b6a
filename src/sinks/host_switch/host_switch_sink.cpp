#include "sinks/host_switch/host_switch_sink.hpp"

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/first_of.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/message.hpp"
#include "kernel/netlink/address_watch.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "ports/sink.hpp"
#include "protocols/forwarder_api/forward.hpp"
#include "sinks/host_switch/forward_calls.hpp"

namespace host_switch_peer {
namespace {

constexpr std::chrono::milliseconds least_pause{500};  // between two lists, however soon connections close
constexpr std::chrono::seconds probe_interval{1};

std::optional<netlink::address_watch> watch_addresses(const async::executor& where) {
  auto made = netlink::address_watch::open(where);
  if (made) return std::move(*made);
  base::log::warn("host-switch", "cannot watch for the tap's return, polling reason=\"{}\"", made.error().message());
  return std::nullopt;
}

}  // namespace

host_switch_sink::host_switch_sink(const async::executor& where, host_switch_options options)
    : options_(std::move(options)), renewed_(where), addresses_(watch_addresses(where)) {
  tap_interface_ = netlink::interface_of(options_.tap);
}

host_switch_sink::connection_ptr host_switch_sink::take_kept() {
  while (!idle_.empty()) {
    auto kept = std::move(idle_.back());
    idle_.pop_back();
    if (kept->usable()) return kept;
  }
  return nullptr;
}

async::task<base::result<host_switch_sink::connection_ptr>> host_switch_sink::open() {
  auto opened = co_await http::connection::open(options_.server, options_.deadline);
  if (!opened) co_return std::unexpected(opened.error());
  opened->probe_every(probe_interval);
  co_return std::make_shared<http::connection>(std::move(*opened));
}

void host_switch_sink::give_back(connection_ptr connection) {
  if (connection->usable() && idle_.size() < options_.workers) idle_.push_back(std::move(connection));
}

async::task<base::result<http::response>> host_switch_sink::ask_all(connection_ptr connection) {
  http::request all{.target = std::string(forwarder_api::all_path)};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = 64 << 20};
  co_return co_await connection->exchange(std::move(all), limits);
}

// A kept connection that breaks says nothing about the server, which closes idle ones: a list is requested again. Lists
// are seldom when all is quiet, so of the connections of a burst one is left after the next list: each has its probes.
async::task<base::result<ports::peer_state>> host_switch_sink::list() {
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
    co_return base::fail(fmt::format("host-switch answered {} to a list: {}", answer->status,
                                     base::printable(base::trim(answer->body))));
  if (watched_ && watched_->usable()) {
    idle_.clear();
    give_back(std::move(connection));
  } else {
    watched_ = std::move(connection);
    renewed_.notify_all();
  }
  co_return parse_all(answer->body, options_.tap);
}

// If the connection breaks, the server may have acted on the request. It is not sent again; the next list shows.
async::task<ports::outcome> host_switch_sink::perform(ports::operation op) {
  auto connection = take_kept();
  if (!connection) {
    auto opened = co_await open();
    if (!opened) co_return ports::outcome{ports::outcome_kind::unsent, opened.error().message()};
    connection = std::move(*opened);
  }
  auto request = encode(op, options_.tap);
  async::clock::time_point sent{};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = 64 << 10, .sent = &sent};
  const auto answer = co_await connection->exchange(std::move(request), limits);
  if (!answer) co_return ports::outcome{ports::outcome_kind::unknown, answer.error().message(), sent};
  give_back(std::move(connection));
  auto outcome = classify(op.what, *answer);
  outcome.sent = sent;
  co_return outcome;
}

async::task<std::vector<ports::outcome>> host_switch_sink::apply(std::vector<ports::operation> batch) {
  std::vector<ports::outcome> outcomes;
  for (const auto& op : batch) {
    outcomes.push_back(co_await perform(op));
    const auto kind = outcomes.back().kind;  // the rest would only wait for the same deadline
    if (kind == ports::outcome_kind::unknown || kind == ports::outcome_kind::unsent) break;
  }
  if (outcomes.empty()) co_return outcomes;
  const ports::outcome rest{ports::outcome_kind::unsent, outcomes.back().reason};
  outcomes.resize(batch.size(), rest);
  co_return outcomes;
}

// If the watched connection broke, the kept ones are broken as well.
async::task<> host_switch_sink::watched_ends() {
  while (!watched_) co_await renewed_.wait();
  const auto watched = watched_;
  const auto ended = co_await watched->closed();
  if (!ended) idle_.clear();
  if (watched_ == watched) watched_.reset();
}

// Ignores other addresses that come and go.
async::task<> host_switch_sink::tap_returns() {
  while (true) {
    if (addresses_)
      co_await addresses_->changed();
    else
      co_await async::sleep_for(options_.resync);
    const auto before = std::exchange(tap_interface_, netlink::interface_of(options_.tap));
    if (tap_interface_ == 0 || tap_interface_ == before) continue;
    idle_.clear();
    watched_.reset();
    co_return;
  }
}

// For a server that keeps no connection open, `least_pause` limits how often it is listed.
async::task<> host_switch_sink::changed() {
  const auto earliest = async::clock::now() + least_pause;
  static_cast<void>(co_await async::within(options_.resync, async::first_of(watched_ends(), tap_returns())));
  co_await async::sleep_until(earliest);
}

async::task<> host_switch_sink::close() {
  idle_.clear();
  co_return;
}

}  // namespace host_switch_peer
