#include "netstack/stack/datagrams.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <system_error>

#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/error_sender.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/icmp_report.hpp"
#include "netstack/time_point.hpp"
#include "netstack/udp_datagram.hpp"

namespace netstack {
namespace {

constexpr auto code_of(icmp::unreachable u) { return static_cast<std::uint8_t>(u); }

std::optional<icmp::unreachable> code_for(int error) {
  switch (error) {
    case ECONNREFUSED: return icmp::unreachable::port;
    case EHOSTUNREACH: return icmp::unreachable::host;
    case ENETUNREACH: return icmp::unreachable::network;
    case EMSGSIZE: return icmp::unreachable::fragmentation_needed;
    case EACCES:
    case EPERM: return icmp::unreachable::administratively_prohibited;
    default: return std::nullopt;
  }
}

}  // namespace

// ---- From the VM

bool datagrams::is_served(std::uint16_t port) const {
  const auto& services = settings_.udp_services;
  return settings_.udp_client_ports.contains(port) || std::ranges::find(services, port) != services.end();
}

void datagrams::on_udp(const ipv4::packet& packet, const udp::datagram& d, const destination& where, time_point now) {
  const auto refuse = [&](icmp::unreachable code) {
    errors_.send(icmp::type::unreachable, code_of(code), packet, now);
  };
  if (where.kind == destination_kind::gateway && !is_served(d.destination_port)) return refuse(icmp::unreachable::port);
  if (where.kind != destination_kind::gateway && where.kind != destination_kind::host) {
    ++counted_.forbidden;
    return refuse(icmp::unreachable::administratively_prohibited);
  }
  ++counted_.datagrams_in;
  actions_.add(action::datagram{.from = {packet.source, d.source_port},
                                .asked = {packet.destination, d.destination_port},
                                .to = {where.to, d.destination_port},
                                .payload = d.payload,
                                .ttl = packet.ttl,
                                .dont_fragment = packet.dont_fragment});
}

void datagrams::on_echo_request(const ipv4::packet& packet, const icmp::message& m, const destination& where,
                                time_point now) {
  const action::echo request{.from = packet.source,
                             .to = packet.destination,
                             .id = m.id,
                             .sequence = m.sequence,
                             .payload = m.payload,
                             .ttl = packet.ttl,
                             .dont_fragment = packet.dont_fragment};
  ++counted_.echoes;
  if (where.kind == destination_kind::gateway || where.translated) {
    send_echo_reply(request, m.payload, now);
  } else if (where.kind == destination_kind::host) {
    actions_.add(request);
  } else {
    ++counted_.forbidden;
  }
}

void datagrams::on_unreachable(const icmp::message& error, const icmp::quoted_packet& about) {
  const bool too_large = error.code == code_of(icmp::unreachable::fragmentation_needed);
  actions_.add(action::datagram_refused{
      .from = {about.packet.source, about.source_port},
      .to = {about.packet.destination, about.destination_port},
      .reason = std::make_error_code(too_large ? std::errc::message_size : std::errc::connection_refused)});
}

// ---- From the owner

bool datagrams::send(endpoint from, endpoint to, bytes_view payload, bool dont_fragment, time_point now) {
  if (payload.size() > udp::most_payload || !is_in_subnet(settings_, to.address)) return false;
  const auto place = packets_.begin(to.address, udp::header_size + payload.size());
  if (place.empty()) return false;
  std::ranges::copy(payload, place.begin() + udp::header_size);
  udp::write_header(place, from.address, to.address, from.port, to.port);
  const bool sent = packets_.send({.source = from.address,
                                   .destination = to.address,
                                   .protocol = ipv4::protocol::udp,
                                   .dont_fragment = dont_fragment},
                                  now);
  if (sent) ++counted_.datagrams_out;
  return sent;
}

void datagrams::failed(endpoint from, endpoint asked, int error, std::uint16_t mtu, time_point now) {
  const auto code = code_for(error);
  if (!code) return;
  const bool too_large = *code == icmp::unreachable::fragmentation_needed;
  // A closed port is reported by the destination; everything else by a router.
  const auto router = *code == icmp::unreachable::port ? asked.address : settings_.gateway();
  errors_.send_about({.protocol = ipv4::protocol::udp, .from = from, .to = asked}, router, icmp::type::unreachable,
                     code_of(*code), too_large ? mtu : std::uint16_t{0}, now);
}

bool datagrams::send_echo_reply(const action::echo& request, bytes_view payload, time_point now) {
  const auto place = packets_.begin(request.from, icmp::header_size + payload.size());
  if (place.empty() || payload.size() > ipv4::most_payload - icmp::header_size) return false;
  std::ranges::fill(place.first(icmp::header_size), std::uint8_t{0});  // the type of a reply is 0
  store_16(place, 4, request.id);
  store_16(place, 6, request.sequence);
  std::ranges::copy(payload, place.begin() + icmp::header_size);
  store_16(place, 2, checksum(place));
  return packets_.send({.source = request.to, .destination = request.from, .protocol = ipv4::protocol::icmp}, now);
}

void datagrams::pass_error(const icmp_report& report, time_point now) {
  lost_packet lost{.protocol = report.protocol, .from = {report.from}, .to = {report.asked}};
  if (report.protocol == ipv4::protocol::icmp) {
    lost.rest = std::uint32_t{report.source_port_or_id} << 16U | report.destination_port_or_sequence;
  } else {
    lost.from.port = report.source_port_or_id;
    lost.to.port = report.destination_port_or_sequence;
  }
  errors_.send_about(lost, report.router, report.what, report.code, report.mtu, now);
}

}  // namespace netstack
