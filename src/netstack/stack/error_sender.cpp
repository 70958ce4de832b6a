#include "netstack/stack/error_sender.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

bool error_sender::is_allowed(time_point now) {
  if (second_ == time_point::min() || now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    sent_ = 0;
  }
  if (sent_ < settings_.limits.errors_a_second) {
    ++sent_;
    return true;
  }
  ++counted_.errors_suppressed;
  return false;
}

void error_sender::send(icmp::type what, std::uint8_t code, const ipv4::packet& packet, time_point now) {
  if (!icmp::allows_error(packet) || !is_allowed(now)) return;
  send_message(settings_.gateway(), packet.source, icmp::make_error(what, code, packet), now);
}

void error_sender::send_about(const lost_packet& lost, ipv4::address from, icmp::type what, std::uint8_t code,
                              std::uint16_t mtu, time_point now) {
  std::array<std::uint8_t, ipv4::header_size + 8> quoted{};
  ipv4::write_header(quoted,
                     {.source = lost.from.address,
                      .destination = lost.to.address,
                      .protocol = lost.protocol,
                      .dont_fragment = mtu != 0},
                     8);
  const auto body = bytes_span(quoted).subspan(ipv4::header_size);
  if (lost.protocol == ipv4::protocol::icmp) {
    body[0] = static_cast<std::uint8_t>(icmp::type::echo_request);
  } else {
    store_16(body, 0, lost.from.port);
    store_16(body, 2, lost.to.port);
  }
  if (lost.protocol == ipv4::protocol::udp) store_16(body, 4, 8);
  if (lost.protocol != ipv4::protocol::udp) store_32(body, 4, lost.rest);
  const auto packet = ipv4::parse(quoted);
  if (!packet || !icmp::allows_error(*packet) || !is_allowed(now)) return;
  send_message(from, lost.from.address, icmp::make_error(what, code, *packet, mtu), now);
}

void error_sender::send_message(ipv4::address from, ipv4::address to, bytes_view message, time_point now) {
  const auto place = out_.begin(to, message.size());
  if (place.empty()) return;
  std::ranges::copy(message, place.begin());
  if (out_.send({.source = from, .destination = to, .protocol = ipv4::protocol::icmp}, now)) ++counted_.errors_out;
}

void error_sender::reset(const ipv4::packet& packet, const tcp::segment& s, time_point now) {
  if (s.flags.rst || !is_allowed(now)) return;
  tcp::segment answer;
  answer.source_port = s.destination_port;
  answer.destination_port = s.source_port;
  answer.flags.rst = true;
  if (s.flags.ack) {
    answer.number = s.acknowledged;
  } else {
    answer.flags.ack = true;
    answer.acknowledged = s.number + s.length();
  }
  const auto place = out_.begin(packet.source, tcp::header_size);
  if (place.empty()) return;
  tcp::write_header(place, packet.destination, packet.source, answer);
  static_cast<void>(out_.send({.source = packet.destination,
                               .destination = packet.source,
                               .protocol = ipv4::protocol::tcp,
                               .dont_fragment = true},
                              now));
}

}  // namespace netstack
