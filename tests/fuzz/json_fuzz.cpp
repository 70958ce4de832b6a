// JSON from peers. What was parsed is written and parsed again: it must be the same document.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "json/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = json::parse(bytes);
  if (parsed) {
    const auto again = json::parse(json::serialize(*parsed), {.bytes = 256 << 20});
    if (!again || *again != *parsed) std::abort();
    static_cast<void>(json::find_any_case(*parsed, "ports"));
  }
  // A document that stands alone is also the first one.
  if (parsed && !json::parse_first(bytes)) std::abort();
  return 0;
}
