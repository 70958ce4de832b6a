#include "link/handshake/phrase.hpp"

#include <gtest/gtest.h>

#include "link/handshake/meeting_point.hpp"

namespace handshake {
namespace {

TEST(phrase_reader, knows_the_phrase_in_any_pieces) {
  using enum phrase_reader::state;
  const std::string_view phrase = network_phrase;
  for (std::size_t cut = 0; cut <= phrase.size(); ++cut) {
    phrase_reader r(phrase);
    EXPECT_EQ(r.feed(phrase.substr(0, cut)), cut == phrase.size() ? matched : reading);
    EXPECT_EQ(r.missing(), phrase.size() - cut);
    EXPECT_EQ(r.feed(phrase.substr(cut)), matched);
    EXPECT_EQ(r.feed("more"), matched) << "exactly that many bytes are read";
  }
  phrase_reader wrong_one(phrase);
  EXPECT_EQ(wrong_one.feed("github.com/x"), wrong);
  EXPECT_EQ(wrong_one.feed(phrase), wrong);
}

// The bytes are part of the protocol.
TEST(phrase_reader, the_networks_phrase_is_the_originals) {
  EXPECT_EQ(network_phrase, "github.com/rancher-sandbox/rancher-desktop/src/go/networking");
  EXPECT_EQ(handshake_port, 6669U);
  EXPECT_EQ(data_port, 6656U);
}

}  // namespace
}  // namespace handshake
