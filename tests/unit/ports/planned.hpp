// planned: a plan with what each peer is to hold, for tests.
#pragma once

#include <utility>

#include "ports/exposure_policy.hpp"

namespace ports {

struct planned : exposure_plan {
  explicit planned(exposure_plan made)
      : exposure_plan(std::move(made)),
        host(part_of(*this, peer_role::host)),
        wsl(part_of(*this, peer_role::wsl)),
        listeners(part_of(*this, peer_role::listeners)),
        loopback(part_of(*this, peer_role::loopback)) {}
  forward_map host, wsl, listeners, loopback;
};

}  // namespace ports
