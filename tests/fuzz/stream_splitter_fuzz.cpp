// A stream of JSON objects from an engine or a sender of port mappings. The pieces in which it comes change nothing,
// objects keep to the limits, and an object that stands alone is one.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "json/stream_splitter.hpp"

namespace {

constexpr json::limits bounds{.bytes = 4096, .depth = 16};

std::vector<std::string> split(std::string_view bytes, std::size_t piece) {
  json::stream_splitter splitter(bounds);
  std::vector<std::string> objects;
  for (bool fed = true; fed && !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    fed = splitter.feed(bytes.substr(0, piece)).has_value();
    while (auto object = splitter.next()) objects.push_back(std::move(*object));
  }
  return objects;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto objects = split(bytes, size + 1);
  if (split(bytes, size == 0 ? 1 : 1 + data[0] % 16) != objects) std::abort();
  for (const auto& object : objects)
    if (object.size() > bounds.bytes || !object.starts_with('{') || split(object, 3) != std::vector{object})
      std::abort();
  return 0;
}
