// vtunnel's configuration: whatever the bytes are, there is an answer, and what it accepts can be listened on and
// connected to.
#include <cstdint>
#include <cstdlib>

#include "programs/vtunnel/config_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = vtunnel::parse_config({reinterpret_cast<const char*>(data), size});
  if (!parsed) {
    if (parsed.error().message().empty()) std::abort();
    return 0;
  }
  if (parsed->empty()) std::abort();
  for (const auto& t : *parsed) {
    if (t.name.empty() || t.peer.port == 0) std::abort();
    for (const auto& at : {vtunnel::at_cid(t.handshake, 1), vtunnel::at_cid(t.data, 1), t.upstream})
      if (net::to_sockaddr(at).size == 0 || net::to_string(at).empty()) std::abort();
  }
  return 0;
}
