// Datagrams of a conntrack dump; each flow found makes a request that reads as that flow's identity.
#include <cstdint>
#include <cstdlib>

#include "kernel/netlink/conntrack_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto found = netlink::parse_flow_dump({reinterpret_cast<const std::byte*>(data), size});
  for (const auto& flow : found)
    if (netlink::flow_delete_request(flow).size() != 20 + flow.identity.size()) std::abort();
  return 0;
}
