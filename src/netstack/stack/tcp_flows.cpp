#include "netstack/stack/tcp_flows.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include "netstack/bytes.hpp"
#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_list.hpp"
#include "netstack/stack/flow_opener.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/keyed_hash.hpp"
#include "netstack/tcp/connection.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/time_point.hpp"

namespace netstack {
tcp_flows::tcp_flows(const surroundings& around)
    : around_(around),
      flows_(keyed_hash(around.settings.secret)),
      room_(around.settings.limits),
      opener_(around.settings, room_, around.all_neighbours, around.all_links),
      sender_(around.settings, flows_, around.packets, around.all_neighbours, around.all_links) {}

void tcp_flows::free(std::uint32_t index, time_point now) {
  auto& f = flows_[index];
  if (f.is_ours) opener_.release_port(f.key, now);
  timers_.cancel(index);
  half_open_.remove(index);
  time_wait_.remove(index);
  unconsumed_.remove(index);
  sender_.remove(index);
  room_.remove(index);
  count_memory(f, 0, 0);
  flows_.remove(index);
}

void tcp_flows::orphan(std::uint32_t index) {
  flows_[index].owned = false;
  half_open_.remove(index);
}

// ---- From the VM

void tcp_flows::on_segment(const ipv4::packet& packet, const tcp::segment& s, const destination& where,
                           time_point now) {
  const flow_key key{.vm = {packet.source, s.source_port}, .peer = {packet.destination, s.destination_port}};
  const auto found = flows_.find(key);
  if (!found) return on_first_segment(packet, s, where, now);
  auto& f = flows_[*found];
  if (s.flags.syn && f.machine->gives_way_to(s)) {
    if (f.owned) around_.actions.add(action::reset{flows_.id_of(*found)});
    free(*found, now);
    return on_first_segment(packet, s, where, now);
  }
  if (s.flags.rst) ++around_.counted.resets_in;
  auto taken = s;
  if (is_full_for(f, s)) {
    ++around_.counted.memory_full;
    taken.payload = {};
    taken.flags.fin = false;
  }
  f.machine->on_segment(taken, now);
  if (!taken.payload.empty()) {
    room_.received(*found, taken.payload.size(), now);
    unconsumed_.push_back(*found);
  }
  changed(*found);
}

// A flow whose owner keeps up may receive: in-order bytes cost memory only if the owner does not consume them.
bool tcp_flows::is_full_for(const flow& f, const tcp::segment& s) const {
  if (s.payload.empty() || receive_memory_ <= around_.settings.limits.receive_memory) return false;
  return f.is_behind || f.machine->is_out_of_order(s);
}

void tcp_flows::on_unreachable(const icmp::message& error, const icmp::quoted_packet& about, time_point now) {
  const flow_key key{.vm = {about.packet.destination, about.destination_port},
                     .peer = {about.packet.source, about.source_port}};
  const auto found = flows_.find(key);
  if (!found || about.packet.payload.size() < 8) return;
  auto& f = flows_[*found];
  if (!f.machine->is_under_way({load_32(about.packet.payload, 4)})) return;
  const auto code = static_cast<icmp::unreachable>(error.code);
  if (code == icmp::unreachable::fragmentation_needed) {
    constexpr std::uint16_t least_mtu = 576;
    const auto mtu = std::clamp(error.sequence, least_mtu, around_.settings.mtu);
    f.machine->set_most_segment(static_cast<std::uint16_t>(mtu - flow_opener::tcp_headers));
    return changed(*found);
  }
  if (!f.is_opening) return;  // once established, it is a hint and not fatal (RFC 1122, 4.2.3.9)
  const bool closed = code == icmp::unreachable::port || code == icmp::unreachable::protocol;
  refuse_open(*found, closed ? std::errc::connection_refused : std::errc::host_unreachable, now);
}

// ---- Events

void tcp_flows::touch(std::uint32_t index) {
  if (std::exchange(flows_[index].touched, true)) return;
  touched_.push_back(index);
}

void tcp_flows::changed(std::uint32_t index) {
  touch(index);
  sender_.add(index);
}

void tcp_flows::settle(time_point now) {
  forget_time_wait(around_.settings.limits.time_wait, now);  // those of earlier turns have sent their last segment
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    const auto index = touched_[i];
    auto& f = flows_[index];
    f.touched = false;
    if (!f.machine) continue;
    const auto e = f.machine->take_events();
    report(index, e);
    if (e.closed) {
      free(index, now);
    } else {
      update(index);
    }
  }
  touched_.clear();
}

void tcp_flows::report(std::uint32_t index, const tcp::events& e) {
  auto& f = flows_[index];
  if (e.established) {
    half_open_.remove(index);
    f.give_up = time_point::max();
    if (std::exchange(f.is_opening, false) && f.owned) around_.actions.add(action::established{flows_.id_of(index)});
  }
  if (!f.owned) return;
  if (e.readable) around_.actions.add(action::readable{flows_.id_of(index)});
  if (e.peer_finished) {
    f.finished = true;
    around_.actions.add(action::finished{flows_.id_of(index)});
  }
  if (e.writable) around_.actions.add(action::writable{flows_.id_of(index)});
  report_end(index, e);
}

void tcp_flows::report_end(std::uint32_t index, const tcp::events& e) {
  auto& f = flows_[index];
  if (e.timed_out) ++around_.counted.timed_out;
  const bool waits = f.machine->state() == tcp::state::time_wait && f.finished;
  if (e.reset || e.timed_out) {
    const auto reason = std::make_error_code(e.reset ? std::errc::connection_refused : std::errc::timed_out);
    if (f.is_opening) around_.actions.add(action::refused{flows_.id_of(index), reason});
    if (!f.is_opening) around_.actions.add(action::reset{flows_.id_of(index)});
  } else if (e.closed || waits) {
    around_.actions.add(action::closed{flows_.id_of(index)});
  } else {
    return;
  }
  orphan(index);
  if (waits) time_wait_.push_back(index);
}

// A FIN that a forgotten connection would have answered gets a RST: the VM's end has all bytes, and is gone sooner.
void tcp_flows::forget_time_wait(std::size_t most, time_point now) {
  while (time_wait_.size() > most)
    if (const auto oldest = time_wait_.front()) free(*oldest, now);
}

void tcp_flows::update(std::uint32_t index) {
  auto& f = flows_[index];
  const auto window = room_.window(index, f.large_window, flows_.size());
  if (window != f.window) f.machine->set_receive_window(f.window = window);
  timers_.set(index, std::min(f.machine->wake_at(), f.give_up));
  count_memory(f, f.machine->send_memory(), f.machine->receive_memory());
}

void tcp_flows::count_memory(flow& f, std::size_t send, std::size_t receive) {
  send_memory_ += send - f.send_memory;
  receive_memory_ += receive - f.receive_memory;
  f.send_memory = send;
  f.receive_memory = receive;
}

void tcp_flows::keep_arrived() {
  while (const auto index = unconsumed_.front()) {
    unconsumed_.remove(*index);
    auto& f = flows_[*index];
    f.machine->keep();
    f.is_behind = !f.machine->arrived().empty();
    update(*index);
  }
}

void tcp_flows::on_time(time_point now) {
  while (const auto index = timers_.take_due(now)) {
    auto& f = flows_[*index];
    if (f.give_up <= now) {
      refuse_open(*index, std::errc::timed_out, now);
      continue;
    }
    f.machine->on_time(now);
    changed(*index);
  }
  settle(now);
}

// ---- From the owner

std::span<const bytes_view> tcp_flows::arrived(flow_id id) const {
  const auto* f = flows_.find_owned(id);
  return f == nullptr ? std::span<const bytes_view>{} : f->machine->arrived();
}

void tcp_flows::consumed(flow_id id, std::size_t bytes, time_point now) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return;
  f->machine->consume(bytes, now);
  f->is_behind = f->is_behind && !f->machine->arrived().empty();
  changed(id.index);
}

std::array<bytes_span, 2> tcp_flows::send_room(flow_id id) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return {};
  const bool may_grow = send_memory_ < around_.settings.limits.send_memory;
  const auto room = f->machine->send_room({.allowed = may_grow, .most = room_.ring()});
  count_memory(*f, f->machine->send_memory(), f->receive_memory);
  return room;
}

void tcp_flows::written(flow_id id, std::size_t bytes, time_point now) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return;
  f->machine->written(bytes, now);
  if (bytes > 0) room_.sent(id.index, bytes, now);
  changed(id.index);
}

void tcp_flows::finish(flow_id id, time_point now) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return;
  f->machine->finish(now);
  changed(id.index);
}

void tcp_flows::finish_with_reset(flow_id id, time_point now) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return;
  f->machine->finish_with_reset(now);
  orphan(id.index);
  changed(id.index);
}

void tcp_flows::abort(flow_id id) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return;
  f->machine->abort();
  orphan(id.index);
  changed(id.index);
}

// ---- Frames

bool tcp_flows::next_frame(frame_out& to, time_point now) {
  while (true) {
    if (!sender_.in_progress()) {
      const auto index = sender_.next();
      if (!index) return false;
      tcp::outgoing next;
      if (!flows_[*index].machine->next_segment(next, now)) {
        // An ended flow is freed by settle(), in a later call: frames of this turn may name slices of its ring.
        sender_.done(*index);
        touch(*index);
        update(*index);
        continue;
      }
      ++around_.counted.segments_out;
      if (next.repeats) ++around_.counted.segments_repeated;
      sender_.start(*index, next);
    }
    if (sender_.take(to, now)) return true;
  }
}

}  // namespace netstack
