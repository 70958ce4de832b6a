// One Ethernet frame through every parser of the netstack. What is parsed lies within the frame; fragments stay within
// their bounds.
#include <cstdint>
#include <cstdlib>

#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/fragments.hpp"
#include "netstack/icmp.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/udp_datagram.hpp"

using namespace netstack;

namespace {

void expect_within(bytes_view part, bytes_view whole) {
  if (!part.empty() && (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()))
    std::abort();
}

void parse_transport(const ipv4::packet& packet) {
  if (const auto s = tcp::parse(packet, tcp::check::skip)) expect_within(s->payload, packet.payload);
  if (const auto d = udp::parse(packet, udp::check::skip)) expect_within(d->payload, packet.payload);
  if (const auto m = icmp::parse(packet.payload)) {
    expect_within(m->payload, packet.payload);
    if (const auto quoted = icmp::parse_quoted(*m)) expect_within(quoted->packet.payload, m->payload);
  }
  if (icmp::allows_error(packet) && icmp::make_error(icmp::type::unreachable, 3, packet).size() > 8 + 548) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view bytes(data, size);
  const auto frame = ethernet::parse(bytes);
  if (!frame) return 0;
  expect_within(frame->payload, bytes);
  static_cast<void>(arp::parse(frame->payload));
  static fragments waiting({.most_datagrams = 4, .most_bytes = 65'536, .wait = std::chrono::seconds(30)});
  static time_point now{};
  // A frame may hold several packets, one behind the other: fragments meet.
  for (auto rest = frame->payload; !rest.empty();) {
    const auto packet = ipv4::parse(rest, ipv4::check::skip);
    if (!packet) break;
    expect_within(packet->payload, rest);
    parse_transport(*packet);
    if (packet->is_fragment())
      if (const auto whole = waiting.add(*packet, now += std::chrono::milliseconds(10))) parse_transport(*whole);
    if (waiting.datagrams() > 4 || waiting.bytes() > 65'536) std::abort();
    rest = rest.subspan(packet->header.size() + packet->payload.size());
  }
  return 0;
}
