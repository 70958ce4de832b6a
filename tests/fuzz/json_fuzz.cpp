// JSON from peers. What was parsed is written and parsed again: it is a document still
// (not the same to the last digit: Boost.JSON reads fractions and large numbers with an error of an ulp or two).
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "json/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = json::parse(bytes);
  if (parsed) {
    const auto text = json::serialize(*parsed);
    const auto again = json::parse(text, {.bytes = 256 << 20});
    // What Boost.JSON makes of 1e400 and of 0e2635 is not JSON.
    const bool is_lost = text.find("Infinity") != std::string::npos || text.find("NaN") != std::string::npos;
    if (!is_lost && (!again || again->kind() != parsed->kind())) std::abort();
    static_cast<void>(json::find_any_case(*parsed, "ports"));
  }
  // A document that stands alone is also the first one.
  if (parsed && !json::parse_first(bytes)) std::abort();
  return 0;
}
