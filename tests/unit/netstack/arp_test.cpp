#include "netstack/arp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::arp {
namespace {

const message request{.what = operation::request,
                      .sender_mac = *net::mac_address::parse("5a:94:ef:e4:0c:ee"),
                      .sender = vm,
                      .target_mac = {},
                      .target = gateway};

TEST(arp, a_message_and_back) {
  bytes written(message_size);
  write(written, request);
  EXPECT_EQ(written[7], 1);
  const auto read = parse(written);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->what, operation::request);
  EXPECT_EQ(read->sender_mac, request.sender_mac);
  EXPECT_EQ(read->sender, vm);
  EXPECT_EQ(read->target, gateway);
  EXPECT_FALSE(read->is_probe());
}

TEST(arp, probes_and_announcements) {
  auto m = request;
  m.sender = {};
  EXPECT_TRUE(m.is_probe());
  m.sender = m.target;
}

TEST(arp, other_kinds_are_refused) {
  bytes written(message_size);
  write(written, request);
  for (const std::size_t at : {1U, 3U, 4U, 5U, 7U}) {
    auto bent = written;
    bent[at] = 9;
    EXPECT_FALSE(parse(bent)) << at;
  }
  for (std::size_t size = 0; size < message_size; ++size) EXPECT_FALSE(parse(bytes_view(written).first(size)));
}

}  // namespace
}  // namespace netstack::arp
