#include "translator/frame_copies.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace translator {
namespace {

using netstack::counting;
using netstack::to_bytes;

TEST(frame_copies, copies_stay_until_they_are_released) {
  frame_copies all;
  std::vector<netstack::bytes_span> kept;
  for (std::size_t i = 0; i < 2'000; ++i) kept.push_back(all.add(counting(14 + i)));
  for (std::size_t i = 0; i < kept.size(); ++i) ASSERT_EQ(to_bytes(kept[i]), counting(14 + i)) << i;
}

TEST(frame_copies, a_change_of_one_changes_no_other) {
  frame_copies all;
  const auto a = all.add(counting(60)), b = all.add(counting(60));
  std::ranges::fill(a, std::uint8_t{0});
  EXPECT_EQ(to_bytes(b), counting(60));
}

TEST(frame_copies, the_largest_frames_have_room_beside_each_other) {
  frame_copies all;
  const auto a = all.add(counting(69'632)), b = all.add(counting(69'632)), c = all.add(counting(1));
  EXPECT_EQ(to_bytes(a), counting(69'632));
  EXPECT_EQ(to_bytes(b), counting(69'632));
  EXPECT_EQ(to_bytes(c), counting(1));
}

TEST(frame_copies, memory_is_used_again_after_a_release) {
  frame_copies all;
  const auto* const first = all.add(counting(100)).data();
  all.release();
  EXPECT_EQ(all.add(counting(50)).data(), first);
}

}  // namespace
}  // namespace translator
