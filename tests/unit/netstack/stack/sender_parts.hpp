// The parts of the stack that make packets, without the rest of it, for tests of one of them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "netstack/ethernet.hpp"
#include "netstack/stack/packet_sender.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack {

struct sender_parts {
  static constexpr net::mac_address vm_mac{{2, 0, 0, 0, 0, 1}};

  explicit sender_parts(const stack_settings& s = {})
      : settings(s),
        all_neighbours(s.limits.neighbours, s.limits.waiting_packets),
        queue(s.limits.queued_packets),
        out(settings, all_neighbours, queue, counted) {
    all_neighbours.learn(vm, {vm_mac, 5});
  }

  // The frames that wait, each with its link; they are released.
  std::vector<bytes> take_all() {
    std::vector<bytes> all;
    frame_out frame;
    while (queue.take(frame)) {
      all.push_back(to_bytes(frame.parts[0]));
      links.push_back(frame.link);
    }
    queue.release_taken();
    return all;
  }
  // The packets in them; each must be one.
  std::vector<bytes> take_packets() {
    std::vector<bytes> packets;
    for (const auto& frame : take_all()) {
      const auto parsed = ethernet::parse(frame);
      EXPECT_TRUE(parsed && ipv4::parse(parsed->payload));
      packets.push_back(to_bytes(parsed->payload));
    }
    return packets;
  }

  stack_settings settings;
  statistics counted;
  neighbours all_neighbours;
  packet_queue queue;
  packet_sender out;
  std::vector<link_id> links;
  time_point now{std::chrono::hours(1)};
};

}  // namespace netstack
