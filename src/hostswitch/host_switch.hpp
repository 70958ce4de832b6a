// host_switch: the program host-switch, Linux edition. It holds on the host the ports that a VM's guest agent exposes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/episode.hpp"
#include "hostswitch/access_policy.hpp"
#include "hostswitch/forwarder.hpp"
#include "hostswitch/kernel_network.hpp"
#include "hostswitch/request_codec.hpp"
#include "hostswitch/subnet.hpp"
#include "program/daemon.hpp"

namespace hostswitch {

class host_switch final : public program::daemon {
 public:
  [[nodiscard]] program::about what() const override;
  void declare(base::flag_set& flags) override;
  base::result<> open(const io::executor& where) override;
  std::string start(io::task_group& tasks) override;

 private:
  [[nodiscard]] net::endpoint api() const { return api_.value_or(net::endpoint{vm_network_.gateway(), 80}); }
  [[nodiscard]] bool admits(const net::address& client);
  base::result<> open_static_forwards();

  subnet vm_network_ = subnet::parse("192.168.127.0/24").value();
  std::vector<forward_request> static_forwards_;
  std::vector<forward_request> busy_forwards_;  // of these, those that could not be opened at the start
  std::optional<net::endpoint> api_;            // elsewhere than on the gateway's port 80
  std::vector<std::string> api_hosts_;
  std::optional<kernel_network> network_;
  std::optional<access_policy> policy_;
  std::optional<forwarder> forwards_;
  base::log::throttle strangers_;
};

}  // namespace hostswitch
