// The command line of wsl-proxy: the flags, with the defaults of the product, and its manual page.
#pragma once

#include <cstdint>
#include <string>

#include "base/go_flags.hpp"
#include "net/address.hpp"

namespace wslproxy {

struct options {
  bool debug = false;
  std::string log_file = "/var/log/wsl-proxy.log";  // empty: stderr
  std::string socket_file = "/run/wsl-proxy.sock";
  net::address upstream = net::address::v4(192, 168, 143, 1);
  int udp_buffer_bytes = 8 << 20;
};

// The flags that fill `into`, which must outlive them.
[[nodiscard]] base::flag_set flags_for(options& into);

}  // namespace wslproxy
