// host_switch: the program host-switch, Linux edition. It holds on the host the ports that a VM's guest agent exposes.
#pragma once

#include <optional>
#include <vector>

#include "hostswitch/forwarder.hpp"
#include "hostswitch/kernel_network.hpp"
#include "hostswitch/request_codec.hpp"
#include "program/daemon.hpp"

namespace hostswitch {

class host_switch final : public program::daemon {
 public:
  [[nodiscard]] program::about what() const override;
  void declare(base::flag_set& flags) override;
  base::result<> open(const io::executor& where) override;
  std::string start(io::task_group& tasks) override;

 private:
  [[nodiscard]] net::endpoint api() const { return api_.value_or(net::endpoint{gateway_, 80}); }

  net::address gateway_ = net::address::v4(192, 168, 127, 1);
  std::vector<forward_request> static_forwards_;
  std::optional<net::endpoint> api_;  // elsewhere than on the gateway's port 80
  std::optional<kernel_network> network_;
  std::optional<forwarder> forwards_;
  base::unique_fd listener_;
};

}  // namespace hostswitch
