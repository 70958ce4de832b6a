// Input of wsl-proxy's socket: bytes in pieces, cut into documents, decoded. Accepted messages are encoded and read
// again: they must be the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/stream_splitter.hpp"
#include "protocols/port_mapping/message_codec.hpp"

namespace {

void check(const std::string& document) {
  auto first = port_mapping::decode(document);
  if (!first) return;
  auto again = port_mapping::decode(port_mapping::encode(first->accepted));
  if (!again || again->refused_count != 0) std::abort();
  std::ranges::sort(first->accepted.bindings);
  std::ranges::sort(again->accepted.bindings);
  if (first->accepted != again->accepted) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  json::stream_splitter splitter({.bytes = 64 << 10});
  const std::size_t piece = size == 0 ? 1 : 1 + data[0];
  for (std::size_t at = 0; at < size; at += piece)
    if (!splitter.feed(bytes.substr(at, piece))) break;
  while (auto document = splitter.next()) check(*document);
  check(std::string(bytes));
  return 0;
}
