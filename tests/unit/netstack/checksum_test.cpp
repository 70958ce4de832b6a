#include "netstack/checksum.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/netstack/packets.hpp"

namespace netstack {
namespace {

// The definition, word by word.
std::uint16_t slow_checksum(const bytes& data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); i += 2) sum += data[i] * 256U + (i + 1 < data.size() ? data[i + 1] : 0U);
  while (sum > 0xffff) sum = sum % 0x10000 + sum / 0x10000;
  return static_cast<std::uint16_t>(0xffff - sum);
}

TEST(checksum, the_example_of_rfc_1071) {
  const bytes data{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(checksum(data), 0xffff - 0xddf2);
}

TEST(checksum, any_length_and_content) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 300; ++size) {
    bytes data(size);
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random());
    EXPECT_EQ(checksum(data), slow_checksum(data)) << size;
  }
  EXPECT_EQ(checksum(bytes(65'535, 0xff)), slow_checksum(bytes(65'535, 0xff)));
}

TEST(checksum, parts_of_even_length_add_up) {
  const auto data = counting(1'001);
  const auto first = add_to_checksum(bytes_view(data).first(600));
  EXPECT_EQ(checksum(bytes_view(data).subspan(600), first), checksum(data));
}

}  // namespace
}  // namespace netstack
