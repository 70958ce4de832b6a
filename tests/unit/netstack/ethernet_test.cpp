#include "netstack/ethernet.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::ethernet {
namespace {

TEST(ethernet, a_header_and_back) {
  const auto a = *net::mac_address::parse("5a:94:ef:e4:0c:ee"), b = *net::mac_address::parse("5a:94:ef:e4:0c:dd");
  bytes written(header_size + 3, 9);
  write_header(written, a, b, ethertype::ipv4);
  const auto f = parse(written);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->destination, a);
  EXPECT_EQ(f->source, b);
  EXPECT_TRUE(f->is(ethertype::ipv4));
  EXPECT_EQ(to_bytes(f->payload), bytes(3, 9));
}

TEST(ethernet, frames_of_any_length) {
  for (std::size_t size = 0; size < header_size; ++size) EXPECT_FALSE(parse(bytes(size))) << size;
  EXPECT_TRUE(parse(bytes(header_size))->payload.empty());
  EXPECT_EQ(parse(bytes(65'535))->payload.size(), 65'535 - header_size);
}

}  // namespace
}  // namespace netstack::ethernet
