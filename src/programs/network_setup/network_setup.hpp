// network_setup: sets up the VM's network, in the default namespace as root: it finds host-switch by the handshake,
// finds or creates the container engine's network namespace, connects it to the default one by a veth pair, and runs
// vm-switch in it with the data connection.
//
//   connection ends              → new handshake → the running vm-switch gets the new connection, keeps its interface
//   vm-switch ends               → a new connection and a new vm-switch, after a pause
//   the namespace's process ends → exits with 1: the supervisor starts from the beginning
//   the veth pair is removed     → makes it again
//
// Two locks keep a second one from starting: one of the pid file (PID-FILE.lock), and one of the default network
// namespace, where the pair has fixed names (/run/network-setup-INODE.lock). The kernel releases them after a
// kill -9, and the next start removes the files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "link/line_limit.hpp"
#include "link/link_url.hpp"
#include "net/mac_address.hpp"
#include "os/lock_file.hpp"
#include "program/daemon.hpp"
#include "programs/network_setup/engine_namespace.hpp"
#include "programs/network_setup/link_source.hpp"
#include "programs/network_setup/switch_process.hpp"
#include "programs/network_setup/veth_pair.hpp"

namespace network_setup {

class network_setup final : public program::daemon {
 public:
  [[nodiscard]] program::about info() const override;
  [[nodiscard]] std::string log_file() const override { return "/var/log/network-setup.log"; }
  void declare(program::flag_set& flags) override;
  base::result<> check(const program::command_line& given) override;
  [[nodiscard]] program::rights needs() const override;
  // What it starts in the namespace is the VM's init, which needs all rights.
  [[nodiscard]] bool confines_itself() const override { return !has_systemd_; }
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;
  async::task<> shut_down(async::clock::time_point deadline) override;

 private:
  [[nodiscard]] std::vector<std::string> switch_command() const;
  base::result<> be_the_only_one();
  async::task<> run();
  async::task<handshake::data_connection> next_connection();
  async::task<> set_up_namespace();
  async::task<> watch_namespace();
  async::task<> leave_switch_to_shut_down();
  async::task<> hand_over(const handshake::data_connection& connection);
  async::task<> serve(handshake::data_connection connection);
  async::task<bool> start_switch(const handshake::data_connection& connection);
  async::task<> until_either_ends(int connection);
  void note_start();
  void note_settled();
  [[noreturn]] void end(const std::string& reason);

  std::string switch_path_, switch_log_, unshare_argument_, service_ = "network-namespace.service";
  std::string tap_ = "eth0", subnet_ = "192.168.127.0/24", script_;
  net::mac_address mac_{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
  std::uint16_t mtu_ = 1500;
  std::int64_t queue_length_ = 4096;
  bool passes_mtu_ = false, passes_queue_length_ = false;
  std::string pid_file_ = "/run/wsl-init.pid";
  links::link_url connect_{.kind = links::link_kind::vsock, .path = {}, .number = 2};
  bool tracing_ = false, has_systemd_ = false;
  bool stopping_ = false;  // if so, shut_down() owns switch_

  async::executor where_;
  async::task_group* tasks_ = nullptr;
  std::vector<os::lock_file> locks_;
  std::unique_ptr<link_source> source_;
  std::unique_ptr<engine_namespace> namespace_;
  std::unique_ptr<veth_keeper> veth_;
  std::unique_ptr<switch_process> switch_;
  base::log::throttle lost_ = links::line_limit();
  unsigned failures_ = 0;  // consecutive failures of vm-switch
  base::log::episode switch_trouble_{"network-setup", "vm-switch does not run"};
  bool last_settled_ = true;  // the last vm-switch ran for a while
  bool announced_ = false;    // the log has the start of this one
};

}  // namespace network_setup
