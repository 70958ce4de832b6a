#include "netstack/tcp/initial_sequence.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

secret counting_key() {
  secret key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  return key;
}

TEST(initial_sequence, the_vectors_of_siphashs_authors) {
  bytes input;
  EXPECT_EQ(siphash(counting_key(), input), 0x726f'db47'dd0e'0e31U);
  for (std::uint8_t i = 0; i < 15; ++i) input.push_back(i);
  EXPECT_EQ(siphash(counting_key(), input), 0xa129'ca61'49be'45e5U);
}

TEST(initial_sequence, advances_with_the_clock_and_differs_by_connection) {
  const initial_sequence isn(counting_key());
  const time_point now{1h};
  const auto a = isn(gateway, 80, vm, 40'000, now);
  EXPECT_EQ(isn(gateway, 80, vm, 40'000, now + 400us), a + 100);
  EXPECT_NE(isn(gateway, 80, vm, 40'001, now), a);
  EXPECT_NE(isn(gateway, 81, vm, 40'000, now), a);
  EXPECT_NE(isn(vm, 80, gateway, 40'000, now), a);
  EXPECT_NE(initial_sequence(secret{})(gateway, 80, vm, 40'000, now), a);
}

}  // namespace
}  // namespace netstack::tcp
