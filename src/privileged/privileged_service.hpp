// privileged_service: the program privileged-service. It listens where the messages of several virtual machines say and
// relays to the one whose claim it is.
#pragma once

#include <chrono>
#include <optional>

#include "base/episode.hpp"
#include "portproxy/proxy_daemon.hpp"
#include "privileged/claim_table.hpp"
#include "privileged/vm_network.hpp"

namespace privileged {

class privileged_service final : public portproxy::proxy_daemon {
 public:
  privileged_service();

  [[nodiscard]] program::about what() const override;
  void declare(base::flag_set& flags) override;
  base::result<> open(const io::executor& where) override;

 private:
  void handle(const portmapping::message& m, const portproxy::caller& from,
              portproxy::port_listeners& listeners) override;

  bool loopback_targets_ = false;
  vm_network vms_;
  base::log::throttle notes_{std::chrono::minutes(1), 32};
  std::optional<claim_table> claims_;
};

}  // namespace privileged
