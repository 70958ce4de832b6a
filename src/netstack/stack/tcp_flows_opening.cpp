// How the flows of tcp_flows begin: by a SYN of the VM, which the owner accepts or refuses, or by the owner.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <system_error>

#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/error_sender.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_list.hpp"
#include "netstack/stack/flow_opener.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/tcp_flows.hpp"
#include "netstack/tcp/connection.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

// ---- By the VM

void tcp_flows::on_first_segment(const ipv4::packet& packet, const tcp::segment& s, const destination& where,
                                 time_point now) {
  const bool begins = s.flags.syn && !s.flags.ack && !s.flags.rst && !s.flags.fin;
  if (!begins || is_refused(where, s.destination_port)) {
    around_.errors.reset(packet, s, now);
    return;
  }
  take_syn(packet, s, where, now);
}

bool tcp_flows::is_refused(const destination& where, std::uint16_t port) {
  if (where.kind == destination_kind::host) return port == 0;
  if (where.kind != destination_kind::gateway) {
    ++around_.counted.forbidden;
    return true;
  }
  const auto& services = around_.settings.tcp_services;
  return std::ranges::find(services, port) == services.end();
}

// Whether there is room for one more flow. One in TIME_WAIT makes room.
bool tcp_flows::has_room(time_point now) {
  const auto most = around_.settings.limits.flows;
  if (flows_.size() >= most)
    if (const auto oldest = time_wait_.front()) free(*oldest, now);
  return flows_.size() < most;
}

void tcp_flows::take_syn(const ipv4::packet& packet, const tcp::segment& s, const destination& where, time_point now) {
  if (!has_room(now)) {
    ++around_.counted.flows_refused;
    around_.errors.reset(packet, s, now);
    return;
  }
  if (half_open_.size() >= around_.settings.limits.half_open) evict_half_open(now);
  const flow_key key{.vm = {packet.source, s.source_port}, .peer = {packet.destination, s.destination_port}};
  const auto others = flows_.size();
  const auto index = flows_.add(key);
  opener_.accept(flows_[index], s, others, now);
  half_open_.push_back(index);
  ++around_.counted.accepted;
  around_.actions.add(action::connect{.flow = flows_.id_of(index),
                                      .from = key.vm,
                                      .asked = key.peer,
                                      .to = {where.to, key.peer.port},
                                      .ttl = packet.ttl});
  update(index);
}

void tcp_flows::evict_half_open(time_point now) {
  const auto oldest = half_open_.front();
  if (!oldest) return;
  if (flows_[*oldest].owned) around_.actions.add(action::reset{flows_.id_of(*oldest)});
  free(*oldest, now);
  ++around_.counted.half_open_evicted;
}

void tcp_flows::refuse_open(std::uint32_t index, std::errc reason, time_point now) {
  if (flows_[index].owned) around_.actions.add(action::refused{flows_.id_of(index), std::make_error_code(reason)});
  free(index, now);
}

// ---- By the owner

void tcp_flows::connected(flow_id id, time_point now) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr) return;
  f->machine->connected(now);
  changed(id.index);
}

void tcp_flows::connect_failed(flow_id id, int error, time_point now) {
  auto* f = flows_.find_owned(id);
  if (f == nullptr || f->machine->state() != tcp::state::connecting) return abort(id);
  ++around_.counted.connects_failed;
  std::optional<icmp::unreachable> code;
  if (error == ENETUNREACH) code = icmp::unreachable::network;
  if (error == EHOSTUNREACH) code = icmp::unreachable::host;
  if (error == EACCES || error == EPERM) code = icmp::unreachable::administratively_prohibited;
  if (!code && error != ETIMEDOUT) return abort(id);
  const lost_packet lost{.protocol = ipv4::protocol::tcp, .from = f->key.vm, .to = f->key.peer, .rest = f->syn.value};
  free(id.index, now);
  if (code)
    around_.errors.send_about(lost, around_.settings.gateway(), icmp::type::unreachable,
                              static_cast<std::uint8_t>(*code), 0, now);
}

// The endpoint that the VM sees. An orphaned flow gives up its place; an owned one keeps it, and the gateway replaces
// the client's address.
std::optional<endpoint> tcp_flows::source_of(endpoint from, endpoint to, time_point now) {
  const auto held = from.port == 0 ? std::nullopt : flows_.find({.vm = to, .peer = from});
  if (held && !flows_[*held].owned) {
    free(*held, now);
  } else if (held) {
    from = {around_.settings.gateway(), 0};
  }
  if (from.port != 0) return from;
  const auto port = opener_.choose_port(from.address, to, flows_, now);
  return port ? std::optional(endpoint{from.address, *port}) : std::nullopt;
}

std::optional<flow_id> tcp_flows::open(endpoint wanted, endpoint to, time_point now) {
  if (!has_room(now) || !is_in_subnet(around_.settings, to.address)) {
    ++around_.counted.flows_refused;
    return std::nullopt;
  }
  const auto from = source_of(wanted, to, now);
  if (!from) return std::nullopt;
  const auto others = flows_.size();
  const auto index = flows_.add({.vm = to, .peer = *from});
  opener_.open(flows_[index], others, now);
  ++around_.counted.opened;
  sender_.add(index);
  update(index);
  return flows_.id_of(index);
}

}  // namespace netstack
