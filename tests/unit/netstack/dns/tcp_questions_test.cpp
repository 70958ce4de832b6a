#include "netstack/dns/tcp_questions.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

TEST(dns_tcp_questions, several_questions_in_pieces_of_every_size) {
  const std::vector<bytes> questions{question{.id = 1}.write(), question{.asked = "b.example", .id = 2}.write(),
                                     bytes(tcp_questions::most_message, 7)};
  bytes stream;
  for (const auto& q : questions) put_bytes(stream, with_length(q));
  for (const std::size_t size : {1U, 2U, 3U, 7U, 100U, 1'000U, 4'096U}) {
    tcp_questions cut;
    std::vector<bytes> came;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      ASSERT_TRUE(cut.add(bytes_view(stream).subspan(at, std::min(size, stream.size() - at))));
      while (const auto q = cut.next()) came.push_back(to_bytes(*q));
    }
    EXPECT_EQ(came, questions) << size;
    EXPECT_FALSE(cut.is_broken());
  }
}

TEST(dns_tcp_questions, a_length_that_no_question_has_breaks_the_stream) {
  for (const std::size_t size : {0U, 1U, 11U, 4'097U, 65'535U}) {
    tcp_questions cut;
    EXPECT_TRUE(cut.add(with_length(bytes(header_size, 1))));
    EXPECT_TRUE(cut.add(bytes{static_cast<std::uint8_t>(size >> 8U), static_cast<std::uint8_t>(size)}));
    EXPECT_TRUE(cut.next());
    EXPECT_FALSE(cut.is_broken());
    EXPECT_FALSE(cut.next());
    EXPECT_TRUE(cut.is_broken()) << size;
    EXPECT_FALSE(cut.add(bytes{1}));
    EXPECT_FALSE(cut.next());
  }
}

TEST(dns_tcp_questions, what_waits_has_a_bound) {
  tcp_questions cut;
  EXPECT_FALSE(cut.add(bytes(10'000, 1)));
  const bytes piece(100, 0x0c);  // a length of 3,084
  std::size_t added = 0;
  while (cut.add(piece)) added += piece.size();
  EXPECT_LE(added, 2 * (tcp_questions::most_message + 2));
  EXPECT_GT(added, 2 * tcp_questions::most_message - piece.size());
  EXPECT_TRUE(cut.next());
  EXPECT_TRUE(cut.add(piece));
}

}  // namespace
}  // namespace netstack::dns
