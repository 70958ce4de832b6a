#include "sinks/port_mapping/port_mapping_sink.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"
#include "ports/sink.hpp"
#include "protocols/port_mapping/message.hpp"
#include "protocols/port_mapping/message_codec.hpp"
#include "sinks/port_mapping/message_sender.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"
#include "sinks/port_mapping/socket_monitor.hpp"
#include "sinks/port_mapping/tunnel_monitor.hpp"

namespace port_mapping_peer {
namespace {

using ports::outcome_kind;

constexpr std::chrono::milliseconds unix_patience{250};  // wsl-proxy reads connections in their order anyway
constexpr std::size_t bindings_per_message = 4'096;      // half a megabyte at most

std::unique_ptr<peer_monitor> monitor_of(const async::executor& where, const port_mapping_options& o) {
  if (const auto* path = std::get_if<net::unix_path>(&o.peer)) {
    socket_monitor_options socket{.path = path->path, .deadline = o.deadline, .resync = o.resync};
    return std::make_unique<socket_monitor>(where, std::move(socket));
  }
  tunnel_monitor_options tunnel{
      .peer = std::get<net::endpoint>(o.peer), .interface = o.interface, .deadline = o.deadline};
  return std::make_unique<tunnel_monitor>(where, std::move(tunnel));
}

port_mapping::binding binding_of(const ports::forward& f) {
  const auto container_port = f.container_port == 0 ? f.key.port : f.container_port;
  return {f.key.protocol, container_port, {f.key.address, f.key.port}};
}

ports::outcome unanswered(const net::stream_address& peer, std::errc why) {
  return {outcome_kind::unknown, base::error{std::make_error_code(why), "send to " + net::to_string(peer)}.message()};
}

}  // namespace

port_mapping_sink::port_mapping_sink(const async::executor& where, port_mapping_options options)
    : options_(std::move(options)),
      peer_(monitor_of(where, options_)),
      book_(options_.address_file),
      repeat_at_(async::clock::now() + options_.resend) {}

ports::sink_traits port_mapping_sink::traits() const {
  return {.workers = 1, .batch = bindings_per_message, .shared = false, .announces_return = peer_->announces_return()};
}

async::task<base::result<ports::peer_state>> port_mapping_sink::list() {
  const auto now = co_await peer_->check();
  if (!now) co_return std::unexpected(now.error());
  ports::peer_state state{.identity = *now, .complete = false, .held = {}};
  if (is_tunnel()) state.repeat = update_resend_timer();
  co_return state;
}

// For a tunnel, after each check. Whether to send everything again.
bool port_mapping_sink::update_resend_timer() {
  const auto now = async::clock::now();
  const auto before = book_.former();
  book_.move_to(peer_->addresses());
  const bool moved = book_.former() != before;
  if (moved) moved_.clear();
  well_since_ = moved ? now : std::min(well_since_, now);
  if (now < repeat_at_) return false;
  if (now - well_since_ >= options_.resend) book_.forget_former();
  repeat_at_ = now + options_.resend;
  return true;
}

std::chrono::milliseconds port_mapping_sink::patience() const {
  if (!is_tunnel()) return unix_patience;
  return peer_closes_ ? options_.deadline : options_.patience;
}

async::task<std::optional<ports::outcome>> port_mapping_sink::send_one(port_mapping::message m) {
  const send_limits limits{.deadline = options_.deadline, .patience = patience()};
  const auto sent = co_await send(options_.peer, port_mapping::encode(m), limits);
  if (!sent) {
    const auto kind = sent.error().nothing_sent ? outcome_kind::unsent : outcome_kind::unknown;
    if (kind == outcome_kind::unknown) schedule_resend();
    co_return ports::outcome{kind, sent.error().message()};
  }
  const bool closed_before = std::exchange(peer_closes_, is_tunnel() && *sent == ending::closed);
  if (*sent == ending::open && closed_before) {
    schedule_resend();
    co_return unanswered(options_.peer, std::errc::timed_out);
  }
  const bool alive = co_await peer_->is_alive(*sent == ending::reset);
  if (!alive) co_return unanswered(options_.peer, std::errc::connection_reset);
  co_return std::nullopt;
}

// Sends one message for each bindings_per_message operations of this kind.
async::task<std::optional<ports::outcome>> port_mapping_sink::send_all(const std::vector<ports::operation>& batch,
                                                                       ports::verb what,
                                                                       std::vector<ports::outcome>& outcomes) {
  for (std::size_t at = 0; at < batch.size();) {
    port_mapping::message m{
        .remove = what == ports::verb::remove, .bindings = {}, .connect_addresses = peer_->addresses()};
    indices carried;
    for (; at < batch.size() && carried.size() < bindings_per_message; ++at) {
      if (batch[at].what != what) continue;
      m.bindings.push_back(binding_of(batch[at].target));
      carried.push_back(at);
    }
    if (carried.empty()) break;
    auto failed = co_await send_one(std::move(m));
    for (const auto index : carried) outcomes[index] = failed.value_or(ports::outcome{});
    if (failed) co_return failed;
  }
  co_return std::nullopt;
}

// A batch fits into one message.
async::task<std::optional<ports::outcome>> port_mapping_sink::take_back_former(
    const std::vector<ports::operation>& batch) {
  const auto former = book_.former();
  port_mapping::message m{.remove = true, .bindings = {}, .connect_addresses = {}};
  for (const auto& op : batch)
    if (!former.empty() && !moved_.contains(op.target.key)) m.bindings.push_back(binding_of(op.target));
  if (m.bindings.empty()) co_return std::nullopt;
  for (const auto& addresses : former) {
    m.connect_addresses = addresses;
    if (auto failed = co_await send_one(m); failed) co_return failed;
  }
  for (const auto& op : batch) moved_.insert(op.target.key);
  co_return std::nullopt;
}

// Nothing is sent after a failure: the operations of the failed message are unknown, the others unsent.
async::task<std::vector<ports::outcome>> port_mapping_sink::apply(std::vector<ports::operation> batch) {
  std::vector<ports::outcome> outcomes(batch.size(), {outcome_kind::unsent, {}});
  auto failed = co_await take_back_former(batch);
  if (!failed) failed = co_await send_all(batch, ports::verb::remove, outcomes);
  if (!failed) failed = co_await send_all(batch, ports::verb::add, outcomes);
  if (!failed) co_return outcomes;
  well_since_ = async::clock::time_point::max();
  peer_->suspect();
  for (auto& o : outcomes)
    if (o.kind == outcome_kind::unsent) o.reason = failed->reason;
  co_return outcomes;
}

// Once the next message has come through, the stuck one arrives before long. If the next one gets stuck as well, this
// is called again.
void port_mapping_sink::schedule_resend() { repeat_at_ = async::clock::now() + options_.deadline + options_.stuck; }

async::task<> port_mapping_sink::changed() {
  if (is_tunnel())
    static_cast<void>(co_await async::until(repeat_at_, peer_->changed()));
  else
    co_await peer_->changed();
}

async::task<> port_mapping_sink::close() { co_return; }

}  // namespace port_mapping_peer
