// vm_switch: the VM's end of the virtual network: it makes the tap interface, and copies frames between it and the link
// that network-setup has opened. Runs in the network namespace of the container engine, as root.
//
// Started by our network-setup it has a control socket (link/link_control.hpp): when the link ends it waits for the
// next one, and the interface keeps its address and routes. Started by the original it has only descriptor 3, and exits
// with 1 when that link ends: the original does not notice a dead link, and the supervisor starts it again.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

#include "async/condition.hpp"
#include "base/episode.hpp"
#include "link/line_limit.hpp"
#include "link/link_control.hpp"
#include "net/mac_address.hpp"
#include "program/daemon.hpp"
#include "programs/vm_switch/dhcp_client.hpp"
#include "programs/vm_switch/frame_pump.hpp"

namespace vm_switch {

class vm_switch final : public program::daemon {
 public:
  [[nodiscard]] program::about info() const override;
  [[nodiscard]] std::string log_file() const override { return "/var/log/vm-switch.log"; }
  void declare(program::flag_set& flags) override;
  [[nodiscard]] program::rights needs() const override;
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;
  [[nodiscard]] std::string summary() const override;

 private:
  base::result<> open_tap(const async::executor& where);
  base::result<> take_over_descriptors(const async::executor& where);
  async::task<> wait_for_links();
  async::task<> keep_mac();
  async::task<> toggle_trace();
  void correct_mac();
  void on_lost(const std::string& reason);
  [[noreturn]] static void end(const std::string& reason);

  std::string tap_ = "eth0", script_;
  net::mac_address mac_{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
  std::string subnet_ = "192.168.127.0/24";
  std::uint16_t link_fd_ = 3, mtu_ = 1500;
  std::int64_t queue_length_ = 4096;
  bool tracing_ = false;

  async::executor where_;
  bool asks_offload_ = false;
  base::unique_fd first_link_;
  std::unique_ptr<async::asio::posix::stream_descriptor> control_;
  std::unique_ptr<dhcp_client> dhcp_;
  std::unique_ptr<frame_pump> pump_;
  base::log::throttle mac_changes_;
  base::log::throttle lost_ = links::line_limit(), connections_ = links::line_limit();
};

}  // namespace vm_switch
