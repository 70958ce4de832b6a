// api_device: the network interface that has the API's address, toward the VM. The API's socket is bound to it, so
// packets that arrive at another interface do not reach it. The host's own connections do: access_policy refuses them.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "net/address.hpp"

namespace host_switch {

struct api_device {
  std::string name;
  unsigned index = 0;  // another interface of the same name has another index

  auto operator<=>(const api_device&) const = default;
};

// nullopt: no interface has the address, or the loopback interface has it.
[[nodiscard]] base::result<std::optional<api_device>> find_device(const net::address& api);

}  // namespace host_switch
