// serving: how a published port is served inside the VM. The source sets it. The policy and the sinks ask the questions
// below, and never which source it was.
//
//                   its address   a listener    a socket
//   rule_and_proxy  yes           yes           no
//   nat_rule        yes           no            no
//   every_address   no            no            no
//   host_listener   yes           yes           yes
//   ipv6_listener   yes, ::1      yes           yes
//   reserved        no            yes           yes
//   announced       no            yes           no
#pragma once

#include <cstdint>

namespace ports {

enum class serving : std::uint8_t {
  rule_and_proxy,  // by an engine's DNAT rules, and by a proxy that listens at the address
  nat_rule,        // by DNAT rules alone
  every_address,   // at each IPv4 address of the VM, whatever address the host is asked for: kube-proxy
  host_listener,   // by a socket that is bound to the address
  ipv6_listener,   // by a socket that is bound to [::] and takes IPv6 alone: IPv4 needs a relay to ::1
  reserved,        // not yet, or not any more: the peers keep the port open, and inside the VM nothing is done for it
  announced,       // without the agent's help; only the other WSL distributions learn of it
};

// False: the address of the binding says nothing about where the port answers inside the VM.
[[nodiscard]] constexpr bool answers_at_its_address(serving s) {
  return s != serving::every_address && s != serving::reserved && s != serving::announced;
}

// A socket holds the port inside the VM.
[[nodiscard]] constexpr bool has_listener(serving s) { return s != serving::nat_rule && s != serving::every_address; }

// The binding is the socket itself: neither its owner nor a container port is known.
[[nodiscard]] constexpr bool is_socket(serving s) {
  return s == serving::host_listener || s == serving::ipv6_listener || s == serving::reserved;
}

}  // namespace ports
