#include "programs/vm_switch/frame_trace.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"

namespace vm_switch {
namespace {

using namespace netstack;

TEST(frame_trace, names_the_ends_of_a_packet) {
  std::vector<std::uint8_t> frame(60);
  const net::mac_address vm{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}}, gateway{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}};
  ethernet::write_header(frame, vm, gateway, ethernet::ethertype::ipv4);
  ipv4::write_header(bytes_span(frame).subspan(14),
                     {.source = {0xc0a87f01}, .destination = {0xc0a87f02}, .protocol = ipv4::protocol::tcp}, 26);
  EXPECT_EQ(describe_frame("in", frame),
            "direction=in bytes=60 from=5a:94:ef:e4:0c:dd to=5a:94:ef:e4:0c:ee type=0x0800 source=192.168.127.1 "
            "destination=192.168.127.2 protocol=6");
}

TEST(frame_trace, says_what_cannot_be_read) {
  std::vector<std::uint8_t> frame(20);
  EXPECT_EQ(describe_frame("out", bytes_view(frame).first(5)), "direction=out bytes=5 short=true");
  ethernet::write_header(frame, {}, {}, ethernet::ethertype::ipv4);
  EXPECT_TRUE(describe_frame("out", frame).ends_with("packet=malformed"));
  ethernet::write_header(frame, {}, {}, ethernet::ethertype::arp);
  EXPECT_TRUE(describe_frame("out", frame).ends_with("type=0x0806"));
}

}  // namespace
}  // namespace vm_switch
