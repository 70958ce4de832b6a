// The answer of an agent of any version. A document that can be read is written and read again: the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocols/status_document/document_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = status_document::decode({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const auto text = status_document::encode(*first);
  const auto second = status_document::decode(text);
  if (!second || *second != *first || status_document::encode(*second) != text) std::abort();
  return 0;
}
