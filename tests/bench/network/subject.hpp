// subject: one network between a host and a VM, in an arena of its own, up and carrying traffic. It goes with its
// processes and namespaces.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "net/endpoint.hpp"
#include "tests/bench/network/arena.hpp"
#include "tests/support/child_process.hpp"

namespace bench {

enum class direction : std::uint8_t { in, out };        // the client is on the host; in the VM or the container
enum class inner_end : std::uint8_t { vm, container };  // which of the two is the client or the server

// From where to where a load goes.
struct way {
  direction to = direction::in;
  inner_end inner = inner_end::vm;
};

struct subject {
  explicit subject(std::string its_name) : name(std::move(its_name)) {}

  std::string name;
  arena place;
  net::address vm_address;    // by which a client on the host reaches the VM's exposed ports
  net::address host_address;  // by which a client in the VM reaches the host's servers
  std::vector<support::child_process> processes;
  pid_t host_end = -1;  // the process whose use counts: the network, on the host's side; -1: none but the kernel
  pid_t vm_end = -1;    // the process that has the VM's tap interface; -1: the same or none

  [[nodiscard]] net::endpoint target(way w, std::uint16_t port) const;
  [[nodiscard]] const support::netns& client_place(way w) const;
  [[nodiscard]] target_server& target(way w) const;

  // Throws unless TCP passes both ways, to the container as well, within the limit.
  void wait_until_it_works();
};

}  // namespace bench
