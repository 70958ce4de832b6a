// api_device: the network interface that carries the API's address, toward the VM. The API's socket is bound to it, so
// that nothing that arrives at another interface, or comes from the host itself, reaches it.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "net/address.hpp"

namespace host_switch {

struct api_device {
  std::string name;
  unsigned index = 0;  // tells an interface from the next one of its name

  auto operator<=>(const api_device&) const = default;
};

// nullopt: no interface has the address, or the loopback interface has it.
[[nodiscard]] base::result<std::optional<api_device>> find_device(const net::address& api);

}  // namespace host_switch
