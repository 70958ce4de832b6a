// dhcp_client: udhcpc on the tap interface: `udhcpc -f -i TAP [-s SCRIPT]`. It is started again when it ends, with a
// growing pause. It renews its lease every renew_interval, so that changes of the host's network (search domains) reach
// the VM, and when a link has come: the host may have forgotten the lease. Owned by vm_switch; control thread.
#pragma once

#include <chrono>
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

  // `script`: udhcpc's; empty: its own default.
  dhcp_client(const async::executor& where, const std::string& interface, const std::string& script);

  // Runs until cancelled.
  async::task<> run();
  async::task<> renew_regularly();
  // Asks for the lease again now.
  void renew();
  // Begins anew with a fresh program: the interface has another MAC.
  void restart();

 private:
  async::executor where_;
  std::vector<std::string> argv_;
  std::optional<os::child_program> running_;
  base::log::episode trouble_;
};

}  // namespace vm_switch
