#include "netstack/stack/statistics.hpp"

#include <array>

namespace netstack {

std::array<statistics::named, statistics::count> statistics::all() const {
  return {{
      {"frames_in", frames_in},
      {"bytes_in", bytes_in},
      {"frames_out", frames_out},
      {"bytes_out", bytes_out},
      {"malformed", malformed},
      {"not_for_stack", not_for_stack},
      {"ipv6", ipv6},
      {"other_types", other_types},
      {"spoofed", spoofed},
      {"multicast", multicast},
      {"ttl_exceeded", ttl_exceeded},
      {"fragments_dropped", fragments_dropped},
      {"errors_suppressed", errors_suppressed},
      {"queue_full", queue_full},
      {"no_neighbour", no_neighbour},
      {"memory_full", memory_full},
      {"accepted", accepted},
      {"opened", opened},
      {"forbidden", forbidden},
      {"flows_refused", flows_refused},
      {"half_open_evicted", half_open_evicted},
      {"connects_failed", connects_failed},
      {"resets_in", resets_in},
      {"timed_out", timed_out},
      {"segments_out", segments_out},
      {"segments_repeated", segments_repeated},
      {"datagrams_in", datagrams_in},
      {"datagrams_out", datagrams_out},
      {"echoes", echoes},
      {"errors_out", errors_out},
      {"flows", flows, true},
      {"half_open", half_open, true},
      {"neighbours", neighbours, true},
      {"fragments_waiting", fragments_waiting, true},
      {"tcp_memory", tcp_memory, true},
      {"queued_bytes", queued_bytes, true},
  }};
}

}  // namespace netstack
