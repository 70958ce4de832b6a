// privileged_service: the program privileged-service. It listens where the messages of several virtual machines say and
// relays to the one whose claim it is.
#pragma once

#include <optional>

#include "portproxy/proxy_daemon.hpp"
#include "privileged/claim_table.hpp"

namespace privileged {

class privileged_service final : public portproxy::proxy_daemon {
 public:
  privileged_service();

  [[nodiscard]] program::about what() const override;
  void declare(base::flag_set& flags) override;
  base::result<> open(const io::executor& where) override;

 private:
  void handle(const portmapping::message& m, portproxy::port_listeners& listeners) override;

  bool loopback_targets_ = false;
  std::optional<claim_table> claims_;
};

}  // namespace privileged
