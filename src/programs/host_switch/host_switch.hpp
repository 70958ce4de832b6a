// host_switch: the program host-switch for Linux. It holds the ports on the host that a VM's guest agent exposes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/episode.hpp"
#include "port_metrics/metrics_socket.hpp"
#include "program/daemon.hpp"
#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/control_api.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/kernel_network.hpp"
#include "programs/host_switch/subnet.hpp"
#include "programs/host_switch/virtual_network.hpp"
#include "programs/host_switch/virtual_options.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace host_switch {

class host_switch final : public program::daemon {
 public:
  [[nodiscard]] program::about info() const override;
  void declare(program::flag_set& flags) override;
  base::result<> check(const program::command_line& line) override;
  [[nodiscard]] program::rights needs() const override;
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;

 private:
  [[nodiscard]] net::endpoint api() const { return api_.value_or(net::endpoint{vm_network_.gateway(), 80}); }
  enum class way : std::uint8_t { through_frames, through_kernel };
  static base::result<way> parse_way(std::string_view text);
  [[nodiscard]] base::result<> check_virtual_network() const;
  base::result<> open_kernel_network();
  base::result<> open_virtual_network(const async::executor& where);
  base::result<> open_control_socket();
  void start_virtual_network(async::task_group& tasks);
  [[nodiscard]] bool admits(const net::address& client);
  base::result<> open_static_forwards();

  subnet vm_network_ = subnet::parse("192.168.127.0/24").value();
  std::vector<forwarder_api::forward> static_forwards_;
  std::vector<forwarder_api::forward> busy_forwards_;  // those that could not be opened at the start
  std::optional<net::endpoint> api_;                   // if not port 80 of the gateway
  std::vector<std::string> api_hosts_;
  way way_ = way::through_frames;
  virtual_options virtual_;
  std::string control_socket_;
  std::unique_ptr<network> network_;
  virtual_network* frames_ = nullptr;  // network_, where it is a virtual one
  kernel_network* kernel_ = nullptr;   // network_, where it is the kernel's
  port_metrics::metrics_socket metrics_;
  std::unique_ptr<os::claimed_unix_path> control_;
  std::unique_ptr<control_api> control_api_;
  std::unique_ptr<access_policy> policy_;
  std::unique_ptr<forwarder> forwards_;
  base::log::throttle strangers_;
};

}  // namespace host_switch
