// Frames of a VM at 192.168.127.2, for tests of links.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace host_switch {

inline constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};

// The VM asks for the gateway: the data plane answers, and knows the VM's link.
inline netstack::bytes arp_request() {
  netstack::bytes frame(netstack::ethernet::header_size + netstack::arp::message_size);
  netstack::ethernet::write_header(frame, net::mac_address::broadcast(), vm_mac, netstack::ethernet::ethertype::arp);
  netstack::arp::write(std::span(frame).subspan(netstack::ethernet::header_size),
                       {.what = netstack::arp::operation::request,
                        .sender_mac = vm_mac,
                        .sender = netstack::vm,
                        .target_mac = {},
                        .target = netstack::gateway});
  return frame;
}

inline std::string as_text(const netstack::bytes& frame) { return {frame.begin(), frame.end()}; }

// On a stream of unix:// or fd://, and of qemu://.
inline std::string framed(const netstack::bytes& frame) {
  return std::string{static_cast<char>(frame.size()), static_cast<char>(frame.size() >> 8U)} + as_text(frame);
}
inline std::string framed_for_qemu(const netstack::bytes& frame) {
  return std::string{0, 0, static_cast<char>(frame.size() >> 8U), static_cast<char>(frame.size())} + as_text(frame);
}

}  // namespace host_switch
