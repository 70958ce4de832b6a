// Both texts of the handshake, in whatever pieces they come: the phrase is matched exactly when the first bytes are it,
// and READY is ready exactly when the first bytes are. The first byte of the input says how long the pieces are.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "link/handshake/meeting_point.hpp"
#include "link/handshake/phrase.hpp"
#include "link/handshake/ready.hpp"

namespace {

void check_phrase(std::string_view text, std::size_t piece) {
  using enum handshake::phrase_reader::state;
  handshake::phrase_reader reader(handshake::network_phrase);
  auto now = reading;
  for (std::size_t at = 0; at < text.size(); at += piece) now = reader.feed(text.substr(at, piece));
  const bool begins = text.starts_with(handshake::network_phrase);
  const bool may_become = handshake::network_phrase.starts_with(text);
  if ((now == matched) != begins || (!begins && (now == reading) != may_become)) std::abort();
}

void check_ready(std::string_view text, std::size_t piece) {
  using enum handshake::ready_reader::state;
  handshake::ready_reader reader;
  auto now = reading;
  for (std::size_t at = 0; at < text.size(); at += piece) now = reader.feed(text.substr(at, piece));
  const std::string_view word = "READY";
  const bool is_ready = now == ready || now == complete;
  if (is_ready != text.starts_with(word) || (!is_ready && (now == reading) != word.starts_with(text))) std::abort();
  if (reader.offers_offload() && text.find("offload=1") == std::string_view::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::max<std::size_t>(1, data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_phrase(text, piece);
  check_ready(text, piece);
  return 0;
}
