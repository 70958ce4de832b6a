// A table of iptables-legacy as the kernel hands it out, '4' or '6' in front: what was read once reads the same again,
// and has no more rules than it has bytes for.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "kernel/netfilter/legacy_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array<std::string_view, 2> prefixes{"CNI-HOSTPORT-DNAT", "CNI-DN-"};
  const auto which = data[0] == '6' ? netfilter::family::ipv6 : netfilter::family::ipv4;
  const std::span table(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  const auto chains = netfilter::parse_legacy_table(table, which, prefixes);
  if (chains != netfilter::parse_legacy_table(table, which, prefixes)) std::abort();
  if (netfilter::fingerprint_legacy_table(table, which) != netfilter::fingerprint_legacy_table(table, which))
    std::abort();
  std::size_t rules = 0;
  if (chains)
    for (const auto& c : *chains) rules += c.rules.size();
  if (rules > size / 100) std::abort();
  return 0;
}
