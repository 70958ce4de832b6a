// privileged_service: the program privileged-service. It opens the ports that several virtual machines ask for, and
// relays each to the VM whose claim has it.
#pragma once

#include <chrono>
#include <memory>

#include "base/episode.hpp"
#include "programs/port_proxy/proxy_daemon.hpp"
#include "programs/privileged_service/claim_table.hpp"
#include "programs/privileged_service/vm_network.hpp"

namespace privileged_service {

class privileged_service final : public port_proxy::proxy_daemon {
 public:
  privileged_service();

  [[nodiscard]] program::about info() const override;
  void declare(program::flag_set& flags) override;
  base::result<> open(const async::executor& where) override;

 private:
  void handle(const port_mapping::message& m, const port_proxy::caller& from,
              port_proxy::port_listeners& listeners) override;

  bool loopback_targets_ = false;
  vm_network vms_;
  base::log::throttle notes_{std::chrono::minutes(1), 32};
  std::unique_ptr<claim_table> claims_;
};

}  // namespace privileged_service
