#include "netstack/tcp/receiver.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::tcp {
namespace {

constexpr sequence first{0xffff'fff0};  // the window wraps

struct receiver_and_peer {
  explicit receiver_and_peer(std::size_t window = 10'000, bool scales = true, bool sack = true) : r(made(window)) {
    r.start(first, scales, sack);
    r.fill(last, true);
  }
  static limits made(std::size_t window) {
    limits l;
    l.receive_window = l.most_receive_window = window;
    return l;
  }
  [[nodiscard]] segment at(std::uint32_t offset, std::size_t size, bool fin = false) {
    payload.assign(size, 'x');
    segment s;
    s.number = first + offset;
    s.flags.ack = true;
    s.flags.fin = fin;
    s.payload = payload;
    return s;
  }
  void give(std::uint32_t offset, std::size_t size, bool fin = false) {
    r.take(at(offset, size, fin));
    r.keep();
  }
  // What the next acknowledgement says.
  segment& acknowledgement() {
    last = {};
    r.fill(last, true);
    return last;
  }

  receiver r;
  bytes payload;
  segment last;
};

TEST(receiver, a_segment_with_a_part_in_the_window_is_acceptable) {
  receiver_and_peer p;
  EXPECT_TRUE(p.r.is_acceptable(p.at(0, 0)));
  EXPECT_TRUE(p.r.is_acceptable(p.at(0, 1)));
  EXPECT_TRUE(p.r.is_acceptable(p.at(9'999, 1)));
  EXPECT_TRUE(p.r.is_acceptable(p.at(10'000, 0))) << "an acknowledgement at the edge";
  EXPECT_FALSE(p.r.is_acceptable(p.at(10'001, 0)));
  EXPECT_FALSE(p.r.is_acceptable(p.at(10'001, 1)));
  EXPECT_TRUE(p.r.is_acceptable(p.at(0xffff'fffe, 3))) << "two old bytes and a new one";
  EXPECT_FALSE(p.r.is_acceptable(p.at(0xffff'fffe, 2)));
  EXPECT_FALSE(p.r.is_acceptable(p.at(0xffff'ffff, 0)));
  EXPECT_FALSE(p.r.is_acceptable(p.at(0x8000'0000, 10)));
}

TEST(receiver, one_acknowledgement_for_a_batch_and_none_without_a_reason) {
  receiver_and_peer p;
  EXPECT_FALSE(p.r.must_acknowledge());
  p.give(0, 100);
  p.give(100, 100);
  EXPECT_TRUE(p.r.must_acknowledge());
  EXPECT_FALSE(p.r.must_be_alone()) << "a segment with data may carry it";
  EXPECT_EQ(p.acknowledgement().acknowledged, first + 200);
  EXPECT_FALSE(p.r.must_acknowledge());
}

TEST(receiver, a_hole_is_reported_by_an_acknowledgement_of_its_own) {
  receiver_and_peer p;
  p.give(100, 50);
  EXPECT_TRUE(p.r.must_be_alone());
  const auto& a = p.acknowledgement();
  EXPECT_EQ(a.acknowledged, first);
  ASSERT_EQ(a.options.sack_blocks, 1U);
  EXPECT_EQ(a.options.sack[0], (sack_block{first + 100, first + 150}));
}

TEST(receiver, without_sack_three_equal_acknowledgements_at_most) {
  receiver_and_peer p(10'000, true, false);
  for (std::uint32_t i = 1; i < 10; ++i) p.give(i * 100, 50);
  unsigned sent = 0;
  for (; p.r.must_acknowledge(); ++sent) {
    EXPECT_EQ(p.acknowledgement().options.sack_blocks, 0U);
    EXPECT_EQ(p.last.acknowledged, first);
  }
  EXPECT_EQ(sent, 3U);
}

TEST(receiver, the_edge_never_moves_to_the_left) {
  receiver_and_peer p;
  p.give(0, 1'000);
  p.r.set_window(2'000);  // below what was announced
  EXPECT_EQ(p.acknowledgement().window, 9'000);
  p.give(1'000, 9'000);
  EXPECT_EQ(p.acknowledgement().window, 0);
  p.r.consume(10'000);
  EXPECT_TRUE(p.r.must_acknowledge());
  EXPECT_EQ(p.acknowledgement().window, 2'000);
  p.r.set_window(1'000'000);
  EXPECT_EQ(p.acknowledgement().window, 10'000) << "never above the most";
}

TEST(receiver, a_window_without_scaling_is_a_word) {
  receiver_and_peer p(1'000'000, false);
  EXPECT_EQ(p.last.window, 65'535);
  receiver_and_peer scaled(1'000'000);
  EXPECT_EQ(scaled.r.shift(), 4);
  EXPECT_EQ(std::size_t{scaled.last.window} << scaled.r.shift(), 1'000'000U / 16 * 16);
}

TEST(receiver, the_fin_counts_when_everything_before_it_is_here) {
  receiver_and_peer p;
  p.give(100, 20, true);
  EXPECT_FALSE(p.r.finished());
  p.give(0, 100);
  EXPECT_TRUE(p.r.finished());
  EXPECT_EQ(p.r.next(), first + 121);
  EXPECT_EQ(p.acknowledgement().acknowledged, first + 121);
  EXPECT_FALSE(p.r.is_empty());
  p.r.discard();
  EXPECT_TRUE(p.r.is_empty());
}

TEST(receiver, nothing_follows_a_fin) {
  receiver_and_peer p;
  p.give(0, 10, true);
  const auto behind = p.at(5, 100);
  p.r.repeated(behind);
  std::size_t size = 0;
  for (const auto slice : p.r.arrived()) size += slice.size();
  EXPECT_EQ(size, 10U);
}

TEST(receiver, what_is_cut_at_the_window_leaves_its_fin_out) {
  receiver_and_peer p(100);
  p.give(0, 150, true);
  EXPECT_FALSE(p.r.finished());
  EXPECT_EQ(p.acknowledgement().acknowledged, first + 100);
}

TEST(receiver, memory_is_given_back) {
  receiver_and_peer p;
  p.give(1'000, 500);
  EXPECT_GT(p.r.memory(), 0U);
  p.give(0, 1'000);
  p.r.discard();
  EXPECT_TRUE(p.r.has_spare());
  p.r.trim();
  EXPECT_EQ(p.r.memory(), 0U);
  p.give(2'000, 500);
  p.r.drop_all();
  EXPECT_EQ(p.r.memory(), 0U);
}

}  // namespace
}  // namespace netstack::tcp
