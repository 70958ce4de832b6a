// engine_namespace: the network namespace in which the container engine runs, and the process that keeps it.
//
// With systemd (SYSTEMD_EXEC_PID is set) a service creates it: the namespace is that of the service's MainPID, once
// that process has left the default one. Otherwise we create it by running
//
//     unshare --pid --mount-proc --fork --propagation slave ARGUMENT
//
// in it. The process id is written to a file with mode 0600, alone, as other programs read it. That process is the VM's
// init: it outlives us. After a kill -9 the next run finds it through that file and uses its namespace again. The id
// may be another process's by then, so its command line must be the one above, with any ARGUMENT.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace network_setup {

// Ends unshare, a child of this process, and what it runs, which is not ours to wait for. unshare --kill-child would do
// it, but BusyBox' unshare does not have that.
void kill_with_children(pid_t unshare);

class engine_namespace {
 public:
  // Of the running process of a service; waits until it runs in a namespace other than ours.
  static async::task<base::result<engine_namespace>> of_service(std::string service);
  // Of the process in `pid_file`, if it is alive, or of a new one, which ends if its id cannot be written there.
  static base::result<engine_namespace> of_init(const async::executor& where, const std::string& argument,
                                                const std::filesystem::path& pid_file);
  static base::result<engine_namespace> of_process(const async::executor& where, pid_t process);

  [[nodiscard]] int fd() const { return namespace_.get(); }
  [[nodiscard]] pid_t process() const { return process_; }
  // Returns when the process has ended: how, if it was our child, and else "". Cancelled: throws operation_aborted.
  async::task<std::string> ended();

 private:
  engine_namespace(const async::executor& where, base::unique_fd net_namespace, pid_t process, int pidfd)
      : namespace_(std::move(net_namespace)), process_(process), exit_(where, pidfd) {}

  base::unique_fd namespace_;
  pid_t process_;
  async::asio::posix::stream_descriptor exit_;
};

}  // namespace network_setup
