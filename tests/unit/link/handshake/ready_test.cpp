#include "link/handshake/ready.hpp"

#include <gtest/gtest.h>

namespace handshake {
namespace {

using enum ready_reader::state;

ready_reader::state feed_all(ready_reader& reader, std::string_view text, std::size_t piece) {
  auto now = reading;
  for (std::size_t at = 0; at < text.size(); at += piece) now = reader.feed(text.substr(at, piece));
  return now;
}

TEST(ready, begins_with_the_originals_five_bytes) {
  EXPECT_EQ(ready_message(false), "READY");
  EXPECT_EQ(ready_message(true).substr(0, 5), "READY");
}

TEST(ready, an_offer_is_understood_in_any_pieces) {
  const auto text = ready_message(true);
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    ready_reader reader;
    EXPECT_EQ(feed_all(reader, text, piece), complete);
    EXPECT_TRUE(reader.offers_offload());
  }
}

TEST(ready, an_older_host_offers_nothing) {
  ready_reader reader;
  EXPECT_EQ(reader.feed("READ"), reading);
  EXPECT_EQ(reader.feed("Y"), ready);
  EXPECT_FALSE(reader.offers_offload());
}

TEST(ready, unknown_words_are_ignored) {
  ready_reader newer;
  EXPECT_EQ(newer.feed("READY mtu=9000 offload=1 colour=blue\nand more"), complete);
  EXPECT_TRUE(newer.offers_offload());
  for (const auto* text :
       {"READY offload=2\n", "READY offload=10\n", "READY xoffload=1\n", "READY offload=1", "READY\n"}) {
    ready_reader reader;
    reader.feed(text);
    EXPECT_FALSE(reader.offers_offload()) << text;
  }
}

TEST(ready, another_text_is_wrong_at_its_first_byte) {
  for (const auto* text : {"ready", "X", "REA\n", "HTTP/1.1"}) {
    ready_reader reader;
    EXPECT_EQ(reader.feed(text), wrong) << text;
  }
}

TEST(ready, an_answer_without_an_end_is_bounded) {
  ready_reader reader;
  EXPECT_EQ(reader.feed("READY" + std::string(1'000'000, 'x')), complete);
  EXPECT_FALSE(reader.offers_offload());
}

}  // namespace
}  // namespace handshake
