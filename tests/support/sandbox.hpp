// sandbox: a pid and a mount namespace in which a container engine may leave what it likes: when the sandbox goes,
// every process in it is killed by the kernel and every mount is gone, also when the test itself was killed. /run and
// /opt are empty in it, writes to /etc do not last; /run/xtables.lock is the machine's, so that iptables outside waits
// for iptables inside. Needs root.
#pragma once

#include <sys/types.h>

#include <string>

namespace support {

class sandbox {
 public:
  sandbox();  // throws std::runtime_error where the kernel says no
  sandbox(const sandbox&) = delete;
  sandbox& operator=(const sandbox&) = delete;
  ~sandbox() { end(); }

  // Kills all that runs in it, and returns when it is dead.
  void end();

  // For child_options.
  [[nodiscard]] std::string pid_namespace() const;
  [[nodiscard]] std::string mount_namespace() const;

 private:
  pid_t init_ = -1;
};

}  // namespace support
