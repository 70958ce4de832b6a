// Addresses and endpoints as text. What was read is written, and read again: the same value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/endpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto ip = net::address::parse(bytes); ip && net::address::parse(ip->to_string()) != ip) std::abort();
  const auto parsed = net::parse_endpoint(bytes);
  if (!parsed) return 0;
  if (net::parse_endpoint(net::to_string(*parsed)) != parsed) std::abort();
  if (net::from_sockaddr(net::to_sockaddr(*parsed)) != parsed) std::abort();
  return 0;
}
