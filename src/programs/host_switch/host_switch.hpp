// host_switch: the program host-switch for Linux. It holds the ports on the host that a VM's guest agent exposes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/episode.hpp"
#include "program/daemon.hpp"
#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/kernel_network.hpp"
#include "programs/host_switch/subnet.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace host_switch {

class host_switch final : public program::daemon {
 public:
  [[nodiscard]] program::about info() const override;
  void declare(program::flag_set& flags) override;
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;

 private:
  [[nodiscard]] net::endpoint api() const { return api_.value_or(net::endpoint{vm_network_.gateway(), 80}); }
  [[nodiscard]] bool admits(const net::address& client);
  base::result<> open_static_forwards();

  subnet vm_network_ = subnet::parse("192.168.127.0/24").value();
  std::vector<forwarder_api::forward> static_forwards_;
  std::vector<forwarder_api::forward> busy_forwards_;  // those that could not be opened at the start
  std::optional<net::endpoint> api_;                   // if not port 80 of the gateway
  std::vector<std::string> api_hosts_;
  std::unique_ptr<kernel_network> network_;
  std::unique_ptr<access_policy> policy_;
  std::unique_ptr<forwarder> forwards_;
  base::log::throttle strangers_;
};

}  // namespace host_switch
