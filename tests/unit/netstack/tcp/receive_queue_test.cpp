#include "netstack/tcp/receive_queue.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/netstack/packets.hpp"
#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {
namespace {

using outcome = receive_queue::outcome;
constexpr sequence first{0xffff'fffe};

std::string read_all(receive_queue& q) {
  std::string all;
  for (const auto slice : q.arrived()) all.append(slice.begin(), slice.end());
  q.consume(all.size());
  return all;
}

struct stream {
  bytes all = bytes(4'000);
  stream() {
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = stream_byte(3, i);
  }
  [[nodiscard]] bytes_view part(std::size_t at, std::size_t size) const { return bytes_view(all).subspan(at, size); }
};

TEST(receive_queue, in_order_is_not_copied) {
  receive_queue q;
  q.start(first);
  const auto hello = text("hello");
  EXPECT_EQ(q.add(first, hello), outcome::in_order);
  EXPECT_EQ(q.arrived()[0].data(), hello.data());
  EXPECT_EQ(q.next(), first + 5);
  EXPECT_EQ(read_all(q), "hello");
}

TEST(receive_queue, keep_copies_what_is_left) {
  receive_queue q;
  q.start(first);
  auto hello = text("hello");
  q.add(first, hello);
  q.consume(2);
  q.keep();
  hello.assign(5, 'x');
  EXPECT_EQ(read_all(q), "llo");
  EXPECT_LT(q.memory(), 1'024U);
}

TEST(receive_queue, blocks_the_latest_first) {
  receive_queue q;
  q.start(first);
  const stream s;
  for (const std::uint32_t at : {100U, 300U, 500U, 700U, 900U}) q.add(first + at, s.part(at, 50));
  options o;
  q.report(o);
  ASSERT_EQ(o.sack_blocks, 4U);
  EXPECT_EQ(o.sack[0], (sack_block{first + 900, first + 950}));
  EXPECT_EQ(o.sack[3], (sack_block{first + 300, first + 350}));
  q.add(first + 150, s.part(150, 150));  // joins two
  q.report(o);
  EXPECT_EQ(o.sack[0], (sack_block{first + 100, first + 350}));
}

TEST(receive_queue, a_duplicate_is_reported_once_and_first) {
  receive_queue q;
  q.start(first);
  const stream s;
  q.add(first + 100, s.part(100, 50));
  EXPECT_EQ(q.add(first + 110, s.part(110, 10)), outcome::duplicate);
  options o;
  q.report(o);
  ASSERT_EQ(o.sack_blocks, 2U);
  EXPECT_EQ(o.sack[0], (sack_block{first + 110, first + 120}));
  EXPECT_EQ(o.sack[1], (sack_block{first + 100, first + 150}));
  q.report(o);
  EXPECT_EQ(o.sack_blocks, 1U);
}

TEST(receive_queue, intervals_are_bounded) {
  receive_queue q;
  q.start(first);
  const bytes one(1);
  for (std::uint32_t i = 0; i < receive_queue::most_intervals; ++i)
    EXPECT_EQ(q.add(first + 1 + 2 * i, one), outcome::out_of_order);
  EXPECT_EQ(q.add(first + 5'001, one), outcome::dropped);
  EXPECT_EQ(q.add(first + 2, one), outcome::out_of_order);  // it joins two
  EXPECT_EQ(q.add(first + 5'001, one), outcome::out_of_order);
}

TEST(receive_queue, trim_gives_everything_back) {
  receive_queue q;
  q.start(first);
  const stream s;
  q.add(first + 1'000, s.part(1'000, 3'000));
  q.add(first, s.part(0, 1'000));
  q.keep();
  EXPECT_EQ(read_all(q).size(), 4'000U);
  q.trim();
  EXPECT_EQ(q.memory(), 0U);
}

// Segments of any size in any order, overlapping, twice, kept or not: the stream comes out once.
TEST(receive_queue, any_order_gives_the_stream) {
  const stream s;
  for (unsigned seed = 0; seed < 2'000; ++seed) {
    std::mt19937 random(seed);
    receive_queue q;
    q.start(first);
    std::string got;
    while (got.size() < s.all.size()) {
      const auto at = std::max<int>(0, static_cast<int>(got.size()) - 200 + static_cast<int>(random() % 2'000));
      if (static_cast<std::size_t>(at) >= s.all.size()) continue;
      const auto size = std::min<std::size_t>(1 + random() % 700, s.all.size() - static_cast<std::size_t>(at));
      q.add(first + static_cast<std::uint32_t>(at), s.part(static_cast<std::size_t>(at), size));
      if (random() % 3 == 0) q.keep();
      if (random() % 2 == 0) {
        const auto most = random() % 1'500;
        std::string taken;
        for (const auto slice : q.arrived()) taken.append(slice.begin(), slice.end());
        ASSERT_EQ(taken.size(), static_cast<std::size_t>(q.next() - q.consumed()));
        taken.resize(std::min<std::size_t>(taken.size(), most));
        q.consume(taken.size());
        got += taken;
      }
    }
    ASSERT_EQ(got, std::string(s.all.begin(), s.all.end())) << "seed " << seed;
    ASSERT_FALSE(q.has_hole());
  }
}

}  // namespace
}  // namespace netstack::tcp
