// A command line, one word a line. It is understood or refused with words, never anything else.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "program/go_flags.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> words;
  for (const auto word : base::split(bytes, '\n')) words.emplace_back(word);
  bool yes = false;
  std::string text = "default";
  std::uint16_t port = 1;
  std::int64_t number = 0;
  std::vector<std::string> many;
  program::flag_set flags("program", "[flags]", "What it does.");
  flags.add("b", yes, "A switch.");
  flags.add("s", text, "A `word`.");
  flags.add("p", port, "A port.");
  flags.add("n", number, "A number.");
  flags.add("m", many, "Several.");
  const auto outcome = flags.parse(words);
  if (!outcome && outcome.error().message().empty()) std::abort();
  if (flags.rest().size() > words.size()) std::abort();
  return 0;
}
