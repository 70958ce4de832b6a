#include "netstack/stack/stack.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "net/mac_address.hpp"
#include "netstack/bytes.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/icmp_report.hpp"
#include "netstack/stack/machine.hpp"
#include "netstack/stack/settings.hpp"
#include "netstack/stack/statistics.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

stack::stack(stack_settings settings, time_point now) : machine_(std::make_unique<machine>(std::move(settings), now)) {}
stack::~stack() = default;

void stack::link_up(link_id link, const link_properties& properties, time_point now) {
  machine_->begin_call(now);
  machine_->link_up(link, properties, now);
}

void stack::link_down(link_id link, time_point now) {
  machine_->begin_call(now);
  machine_->link_down(link);
}

void stack::link_blocked(link_id link, bool blocked) { machine_->link_blocked(link, blocked); }

bool stack::is_located(ipv4::address vm) const { return machine_->is_located(vm); }

bool stack::accepts_source(const net::mac_address& mac, ipv4::address address, link_id link, time_point now) {
  return machine_->accepts_source(mac, address, link, now);
}

void stack::on_frames(std::span<const frame_in> frames, time_point now) {
  machine_->begin_call(now);
  for (const auto& frame : frames) machine_->on_frame(frame, now);
}

std::optional<any_action> stack::next_action() { return machine_->next_action(); }

void stack::end_batch(time_point now) {
  machine_->begin_call(now);
  machine_->end_batch(now);
}

bool stack::next_frame(frame_out& to, time_point now) { return machine_->next_frame(to, now); }

time_point stack::wake_at() const { return machine_->wake_at(); }

void stack::on_time(time_point now) {
  machine_->begin_call(now);
  machine_->on_time(now);
}

void stack::connected(flow_id flow, time_point now) {
  machine_->begin_call(now);
  machine_->flows().connected(flow, now);
}

void stack::connect_failed(flow_id flow, int error, time_point now) {
  machine_->begin_call(now);
  machine_->flows().connect_failed(flow, error, now);
}

std::optional<flow_id> stack::open(endpoint from, endpoint to, time_point now) {
  machine_->begin_call(now);
  return machine_->flows().open(from, to, now);
}

std::span<const bytes_view> stack::arrived(flow_id flow) const {
  return std::as_const(*machine_).flows().arrived(flow);
}

void stack::consumed(flow_id flow, std::size_t bytes, time_point now) {
  machine_->begin_call(now);
  machine_->flows().consumed(flow, bytes, now);
}

std::array<bytes_span, 2> stack::send_room(flow_id flow) { return machine_->flows().send_room(flow); }

void stack::written(flow_id flow, std::size_t bytes, time_point now) {
  machine_->begin_call(now);
  machine_->flows().written(flow, bytes, now);
}

void stack::finish(flow_id flow, time_point now) {
  machine_->begin_call(now);
  machine_->flows().finish(flow, now);
}

void stack::finish_with_reset(flow_id flow, time_point now) {
  machine_->begin_call(now);
  machine_->flows().finish_with_reset(flow, now);
}

void stack::abort(flow_id flow, time_point now) {
  machine_->begin_call(now);
  machine_->flows().abort(flow);
}

bool stack::send_datagram(endpoint from, endpoint to, bytes_view payload, bool dont_fragment, time_point now) {
  machine_->begin_call(now);
  return machine_->datagrams().send(from, to, payload, dont_fragment, now);
}

void stack::datagram_failed(endpoint from, endpoint asked, int error, std::uint16_t mtu, time_point now) {
  machine_->begin_call(now);
  machine_->datagrams().failed(from, asked, error, mtu, now);
}

bool stack::send_echo_reply(const action::echo& request, bytes_view payload, time_point now) {
  machine_->begin_call(now);
  return machine_->datagrams().send_echo_reply(request, payload, now);
}

void stack::pass_error(const icmp_report& report, time_point now) {
  machine_->begin_call(now);
  machine_->datagrams().pass_error(report, now);
}

void stack::set_search_domains(const std::vector<std::string>& domains) {
  machine_->dhcp().set_search_domains(domains);
}

statistics stack::counters() const { return machine_->counters(); }

std::vector<lease> stack::leases() const { return machine_->leases(); }

}  // namespace netstack
