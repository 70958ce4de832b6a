// arena: where one subject is measured. Three network namespaces, and a target_server in each:
//
//   host ──(the subject)── VM ── bridge ── container
//
// The VM's namespace forwards and masquerades for the container, and a DNAT rule leads the container's ports to it, as
// a container engine arranges it. The subject's own links come from its recipe (rivals.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "tests/bench/load/target_server.hpp"
#include "tests/support/netns.hpp"

namespace bench {

// The first ports of the three servers. Those of the VM and of the container are exposed on the host under the same
// numbers.
constexpr std::uint16_t vm_first = 5000, container_first = 5100, host_first = 6000;

// A target_server in a thread of its own.
class served_target {
 public:
  served_target(const support::netns& where, std::uint16_t first);
  served_target(const served_target&) = delete;
  served_target& operator=(const served_target&) = delete;
  ~served_target() { server_->stop(); }
  [[nodiscard]] target_server& server() const { return *server_; }

 private:
  std::unique_ptr<target_server> server_;
  std::jthread thread_;
};

struct arena {
  arena();

  support::netns host{"host"}, vm{"vm"}, container{"container"};
  served_target host_target{host, host_first}, vm_target{vm, vm_first}, container_target{container, container_first};
};

}  // namespace bench
