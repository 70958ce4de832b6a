// Lists of ports that are not forwarded: what is accepted ignores no port 0, and goes on to do so behind the defaults.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sources/host_sockets/ignore_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto list = host_sockets::ignore_list::parse(text);
  if (!list) return 0;
  const auto longer = host_sockets::ignore_list::parse(list->size() == 0 ? "default" : "default," + text);
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp}) {
    if (list->contains(protocol, 0)) std::abort();
    for (const auto port : std::array<std::uint16_t, 4>{1, 53, 6443, 65535})
      if (longer && list->contains(protocol, port) && !longer->contains(protocol, port)) std::abort();
  }
  return 0;
}
