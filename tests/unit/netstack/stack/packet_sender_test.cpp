#include "netstack/stack/packet_sender.hpp"

#include <set>

#include "netstack/arp.hpp"
#include "netstack/fragments.hpp"
#include "tests/unit/netstack/stack/sender_parts.hpp"

namespace netstack {
namespace {

constexpr ipv4::address unknown{0xc0a87f09};

bool send(sender_parts& all, ipv4::address to, std::size_t size, bool dont_fragment = false) {
  const auto place = all.out.begin(to, size);
  if (place.empty()) return false;
  std::ranges::copy(counting(size), place.begin());
  return all.out.send(
      {.source = gateway, .destination = to, .protocol = ipv4::protocol::udp, .dont_fragment = dont_fragment}, all.now);
}

TEST(packet_sender, a_packet_goes_to_the_place_of_its_address) {
  sender_parts all;
  EXPECT_TRUE(send(all, vm, 100));
  const auto frames = all.take_all();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(all.links, std::vector<link_id>{5});
  const auto frame = ethernet::parse(frames[0]);
  EXPECT_EQ(frame->destination, sender_parts::vm_mac);
  EXPECT_EQ(frame->source, all.settings.gateway_mac);
  const auto packet = ipv4::parse(frame->payload);
  ASSERT_TRUE(packet);
  EXPECT_EQ(to_bytes(packet->payload), counting(100));
  EXPECT_FALSE(packet->is_fragment());
}

TEST(packet_sender, every_packet_has_an_id_of_its_own_and_fragments_share_theirs) {
  sender_parts all;
  EXPECT_TRUE(send(all, vm, 100));
  EXPECT_TRUE(send(all, vm, 4'000));
  EXPECT_TRUE(send(all, vm, 4'000));
  std::set<std::uint16_t> ids;
  fragments together;
  int whole = 0;
  for (const auto& bytes : all.take_packets()) {
    const auto packet = *ipv4::parse(bytes);
    EXPECT_LE(bytes.size(), 1'500U);
    ids.insert(packet.id);
    if (const auto one = packet.is_fragment() ? together.add(packet, all.now) : packet) {
      EXPECT_EQ(to_bytes(one->payload), counting(one->payload.size()));
      ++whole;
    }
  }
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(whole, 3);
}

TEST(packet_sender, the_mtu_is_the_border_of_what_is_cut) {
  sender_parts all;
  EXPECT_TRUE(send(all, vm, 1'480, true));
  EXPECT_EQ(all.take_packets().size(), 1U);
  EXPECT_FALSE(send(all, vm, 1'481, true)) << "it must not be cut";
  EXPECT_TRUE(all.take_packets().empty());
  EXPECT_TRUE(send(all, vm, 1'481));
  EXPECT_EQ(all.take_packets().size(), 2U);
  stack_settings jumbo;
  jumbo.mtu = 65'520;
  sender_parts large(jumbo);
  EXPECT_TRUE(send(large, vm, 65'500));
  EXPECT_EQ(large.take_packets().size(), 1U);
}

TEST(packet_sender, packets_wait_for_an_address_that_has_to_be_found) {
  sender_parts all;
  EXPECT_TRUE(send(all, unknown, 100));
  EXPECT_TRUE(send(all, unknown, 3'000));
  EXPECT_TRUE(all.take_all().empty());
  EXPECT_EQ(all.all_neighbours.take_due(all.now), unknown);
  const location found{{{2, 0, 0, 0, 0, 9}}, 6};
  for (const auto& packet : all.all_neighbours.learn(unknown, found)) all.out.send_waited(found, packet);
  const auto packets = all.take_packets();
  ASSERT_EQ(packets.size(), 4U);  // one, and three fragments
  for (const auto& bytes : packets) EXPECT_EQ(ipv4::parse(bytes)->destination, unknown);
  EXPECT_EQ(all.links, std::vector<link_id>(4, 6));
}

TEST(packet_sender, a_full_queue_is_counted_and_nothing_is_sent_in_part) {
  stack_settings small;
  small.limits.queued_packets = packet_queue::chunk_size;
  sender_parts all(small);
  std::size_t sent = 0;
  while (send(all, vm, 1'400)) ++sent;
  EXPECT_GE(all.counted.queue_full, 1U);
  EXPECT_GT(sent, 100U);
  EXPECT_FALSE(all.out.send_to({sender_parts::vm_mac, 5}, {.source = gateway, .destination = vm}, counting(1'400)));
  EXPECT_EQ(all.counted.queue_full, 2U);
  all.out.send_waited({sender_parts::vm_mac, 5}, counting(1'400));
  EXPECT_EQ(all.counted.queue_full, 3U);
  EXPECT_EQ(all.take_packets().size(), sent);
  EXPECT_TRUE(send(all, vm, 1'400));
}

TEST(packet_sender, dhcp_has_a_place_of_its_own) {
  sender_parts all;
  const location everywhere{net::mac_address::broadcast(), every_link};
  EXPECT_TRUE(all.out.send_to(
      everywhere, {.source = gateway, .destination = {0xffff'ffff}, .protocol = ipv4::protocol::udp}, counting(300)));
  const auto frames = all.take_all();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(ethernet::parse(frames[0])->destination, net::mac_address::broadcast());
  EXPECT_EQ(to_bytes(ipv4::parse(ethernet::parse(frames[0])->payload)->payload), counting(300));
  EXPECT_EQ(all.links, std::vector<link_id>{every_link});
}

TEST(packet_sender, arp_asks_everyone_and_answers_one) {
  sender_parts all;
  all.out.ask_by_arp(vm, every_link);
  all.out.answer_arp(gateway, {sender_parts::vm_mac, 5}, vm);
  const auto frames = all.take_all();
  ASSERT_EQ(frames.size(), 2U);
  const auto question = ethernet::parse(frames[0]), reply = ethernet::parse(frames[1]);
  EXPECT_EQ(question->destination, net::mac_address::broadcast());
  const auto asked = arp::parse(question->payload);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->what, arp::operation::request);
  EXPECT_EQ(asked->target, vm);
  EXPECT_EQ(asked->sender, gateway);
  const auto answered = arp::parse(reply->payload);
  ASSERT_TRUE(answered);
  EXPECT_EQ(reply->destination, sender_parts::vm_mac);
  EXPECT_EQ(answered->what, arp::operation::reply);
  EXPECT_EQ(answered->sender, gateway);
  EXPECT_EQ(answered->sender_mac, all.settings.gateway_mac);
  EXPECT_EQ(answered->target, vm);
  EXPECT_EQ(all.links, (std::vector<link_id>{every_link, 5}));
}

}  // namespace
}  // namespace netstack
