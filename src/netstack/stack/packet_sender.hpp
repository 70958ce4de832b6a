// packet_sender: puts IPv4 packets that the stack itself makes into frames, fragmented if they exceed the MTU, and
// queues them for a VM that has to be located first. Owned by the stack.
//
// Use: begin() returns space for the payload, then send() adds the headers. A payload that fits one frame is not
// copied.
#pragma once

#include <cstdint>
#include <vector>

#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/stack/packet_queue.hpp"
#include "netstack/stack/settings.hpp"
#include "netstack/stack/statistics.hpp"

namespace netstack {

class packet_sender {
 public:
  packet_sender(const stack_settings& settings, neighbours& all, packet_queue& queue, statistics& counted)
      : settings_(settings), neighbours_(all), queue_(queue), counted_(counted) {}

  // Space for the payload of a packet to `to`, of 1 to most_payload bytes. Empty: the queue is full, which is counted.
  [[nodiscard]] bytes_span begin(ipv4::address to, std::size_t payload_size);
  // Sends the packet whose payload is in the space from begin(). `fields`: send() sets the id. False: dropped and
  // counted.
  bool send(ipv4::header_fields fields, time_point now);
  // The same to a given place, for DHCP. The packet must fit one frame.
  bool send_to(const location& at, ipv4::header_fields fields, bytes_view payload);
  // A packet that has waited, beginning with its header.
  void send_waited(const location& at, bytes_view packet);
  // Requests that are due. `link`: the destination, every_link for all.
  void ask_by_arp(ipv4::address a, link_id link);
  void answer_arp(ipv4::address own, const location& to, ipv4::address asker);

  [[nodiscard]] std::uint16_t next_id() { return ++id_; }

 private:
  // A frame with its Ethernet header and space for `size` bytes after it; empty: full, which is counted.
  [[nodiscard]] bytes_span begin_frame(const net::mac_address& to, ethernet::ethertype type, std::size_t size);
  bool send_in_pieces(const ipv4::header_fields& fields, time_point now);

  const stack_settings& settings_;
  neighbours& neighbours_;
  packet_queue& queue_;
  statistics& counted_;
  std::uint16_t id_ = 0;
  const location* direct_ = nullptr;  // the destination of the packet begun in the queue
  bytes_span begun_;                  // its payload
  std::vector<std::uint8_t> scratch_;
};

}  // namespace netstack
