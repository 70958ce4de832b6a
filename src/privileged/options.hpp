// The command line of privileged-service, and its manual page.
#pragma once

#include <optional>
#include <string>

#include "base/go_flags.hpp"
#include "net/endpoint.hpp"

namespace privileged {

struct options {
  bool debug = false;
  std::string log_file;  // empty: stderr
  std::string socket_file = "/run/privileged-service.sock";
  std::optional<net::endpoint> listen;  // instead of the socket
  bool loopback_targets = false;
  int udp_buffer_bytes = 8 << 20;
};

// The flags that fill `into`, which must outlive them.
[[nodiscard]] base::flag_set flags_for(options& into);

}  // namespace privileged
