// dhcp_client: udhcpc on the tap interface: `udhcpc -f -i TAP [-s SCRIPT]`. It is restarted when it ends, after a
// growing pause. It renews its lease every renew_interval, so that changes of the host's network (search domains) reach
// the VM, and when a link arrives, because the host may have forgotten the lease. Owned by vm_switch; control thread.
//
// BusyBox' udhcpc removes the address and routes if it finds no server for most of a minute after a SIGUSR1, and
// immediately if a second SIGUSR1 arrives while it still searches. So a renewal needs a link that is at least link_age
// old, and two signals are least_distance apart: an outage of the host leaves the interface unchanged.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "async/condition.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "os/child_program.hpp"

namespace vm_switch {

class dhcp_client {
 public:
  static constexpr std::chrono::seconds renew_interval{50};
  static constexpr std::chrono::seconds link_age{1};
  static constexpr std::chrono::seconds least_distance{30};

  // `script`: udhcpc's; empty: udhcpc's default. `has_link`: whether frames reach the host now.
  dhcp_client(const async::executor& where, const std::string& interface, const std::string& script,
              std::function<bool()> has_link);

  // Runs until cancelled.
  async::task<> run();
  async::task<> renew_regularly();
  // A link has arrived: renews the lease once the link is link_age old, and least_distance after the last renewal.
  void renew_soon();
  // Starts over with a new process: the interface has another MAC.
  void restart();

 private:
  void renew();

  async::executor where_;
  std::vector<std::string> argv_;
  std::optional<os::child_program> running_;
  async::clock::time_point began_;  // of the last run
  base::log::episode trouble_;
  std::function<bool()> has_link_;
  async::clock::time_point next_;                   // when the lease is renewed
  std::optional<async::clock::time_point> signal_;  // when it was last sent
  async::condition sooner_;                         // next_ has changed
};

}  // namespace vm_switch
