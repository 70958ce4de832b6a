#include "programs/vm_switch/frame_trace.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/log.hpp"
#include "link/framing.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"

namespace vm_switch {

std::string describe_frame(std::string_view direction, links::bytes_view frame) {
  const auto head = netstack::ethernet::parse(frame);
  if (!head) return fmt::format("direction={} bytes={} short=true", direction, frame.size());
  auto text = fmt::format("direction={} bytes={} from={} to={} type=0x{:04x}", direction, frame.size(),
                          head->source.to_string(), head->destination.to_string(), head->type);
  if (!head->is(netstack::ethernet::ethertype::ipv4)) return text;
  const auto packet = netstack::ipv4::parse(head->payload, netstack::ipv4::check::skip);
  if (!packet) return text + " packet=malformed";
  return text + fmt::format(" source={} destination={} protocol={}", to_net(packet->source).to_string(),
                            to_net(packet->destination).to_string(), packet->protocol);
}

void trace_frame(std::string_view direction, links::bytes_view frame) {
  base::log::info("frames", "{}", describe_frame(direction, frame));
}

}  // namespace vm_switch
