// A journal after a crash, or after an edit. Its live entries are rewritten and read again: the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ports/journal_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto first = ports::parse_journal(bytes);
  std::string text = ports::encode_journal_header(first.boot_id);
  for (const auto& [key, forward] : first.live) text += ports::encode_journal_add(forward);
  const auto second = ports::parse_journal(text);
  if (second.live != first.live || second.damaged_lines != 0 || second.boot_id != first.boot_id) std::abort();
  for (const auto& [key, forward] : first.live) text += ports::encode_journal_erase(key);
  if (!ports::parse_journal(text).live.empty()) std::abort();
  return 0;
}
