// A server's address from a command line or DOCKER_HOST. What was understood is written and understood again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/connection.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = http::parse_server_address(bytes);
  if (!parsed) return 0;
  const auto again = http::parse_server_address(http::to_string(*parsed));
  if (!again || *again != *parsed) std::abort();
  return 0;
}
