// The seed phrase: it is matched exactly when the first bytes are it, in whatever pieces they come. The first byte of
// the input says how long the pieces are.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "programs/vtunnel/handshake.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using enum vtunnel::phrase_reader::state;
  if (size == 0) return 0;
  const std::size_t piece = std::max<std::size_t>(1, data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  vtunnel::phrase_reader reader;
  auto now = reading;
  for (std::size_t at = 0; at < text.size(); at += piece) now = reader.feed(text.substr(at, piece));
  const bool begins = text.starts_with(vtunnel::seed_phrase);
  const bool may_become = vtunnel::seed_phrase.starts_with(text);
  if ((now == matched) != begins || (!begins && (now == reading) != may_become)) std::abort();
  return 0;
}
