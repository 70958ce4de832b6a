// claim_targets: where the claims of one port are served inside the VM, and what of them a peer learns. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/shared_text.hpp"
#include "ports/binding.hpp"
#include "ports/port_table.hpp"

namespace ports {

// The port is there for the other WSL distributions alone.
[[nodiscard]] bool is_only_announced(const std::vector<claim>& claims);
// A socket holds the port inside the VM.
[[nodiscard]] bool has_listener(const std::vector<claim>& claims);

// Where the port answers inside the VM, if not at every one of its IPv4 addresses.
struct single_address {
  const claim* by = nullptr;
  port_key key;
};
[[nodiscard]] std::optional<single_address> find_single_address(const std::vector<claim>& claims);

// The Service that alone claims the port; null: another one does. kube-proxy may answer at the machine's primary
// address only, so the loopback sink brings other peers there; a claim of every address needs no help.
[[nodiscard]] const claim* find_service(const std::vector<claim>& claims);

// Removes and returns the claims that would have to be served from another address than the one that is.
[[nodiscard]] std::vector<claim> take_other_addresses(std::vector<claim>& claims);

// The number inside the VM, which all claims of a port share.
[[nodiscard]] inline std::uint16_t port_inside(const std::vector<claim>& claims) {
  return claims.front().what.host_port;
}
// Where the port was published, as a host would hold it: the wildcard, if one of the claims has it.
[[nodiscard]] port_key published_key(const std::vector<claim>& claims);

// A socket's claim leaves container port and owner empty. Any other source that claims the port knows them better, and
// with empty fields nothing is sent again when that claim comes or goes.
[[nodiscard]] std::uint16_t container_port(const claim& c);
[[nodiscard]] base::shared_text owner(const claim& c);

}  // namespace ports
