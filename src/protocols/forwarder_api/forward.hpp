// forward: one forward of host-switch, as the forwarder API (gvisor-tap-vsock, pkg/services/forwarder) names it. Plain
// text: the API compares `local` and `protocol` byte by byte.
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace forwarder_api {

inline constexpr std::string_view expose_path = "/services/forwarder/expose";
inline constexpr std::string_view unexpose_path = "/services/forwarder/unexpose";
inline constexpr std::string_view all_path = "/services/forwarder/all";

struct forward {
  std::string local;     // where the host listens: "0.0.0.0:80", ":80"
  std::string remote;    // where the VM is reached: "192.168.127.2:80"; empty in a call of unexpose
  std::string protocol;  // "tcp", "udp"

  auto operator<=>(const forward&) const = default;
};

}  // namespace forwarder_api
