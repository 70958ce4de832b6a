// switch_process: a running vm-switch, with the data connection as descriptor 3 and the control socket as descriptor 4
// (link/link_control.hpp). It is killed with its owner.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "link/handshake/vm_side.hpp"
#include "os/child_program.hpp"

namespace network_setup {

class switch_process {
 public:
  // `argv`: without -vsock-fd.
  static base::result<switch_process> start(const async::executor& where, std::vector<std::string> argv,
                                            int net_namespace, const handshake::data_connection& connection);

  // Passes on a new connection. An error: vm-switch does not accept it in time, as the original never does, or has
  // ended.
  async::task<base::result<>> hand_over(const handshake::data_connection& connection);
  // Returns its exit code, as os::child_program does.
  async::task<int> ended() { return program_.ended(); }
  async::task<> stop(async::clock::time_point deadline) { return program_.stop(deadline); }
  [[nodiscard]] pid_t pid() const { return program_.pid(); }
  [[nodiscard]] bool is_running() const { return program_.pid() > 0; }

 private:
  switch_process(os::child_program program, base::unique_fd control)
      : program_(std::move(program)), control_(std::move(control)) {}

  os::child_program program_;
  base::unique_fd control_;
};

}  // namespace network_setup
