// sandbox: a pid and a mount namespace for a container engine. When the sandbox goes, the kernel kills every process in
// it and removes every mount, also if the test itself was killed. /run and
// /opt are empty in it, writes to /etc do not last; /run/xtables.lock is the machine's, so that iptables outside waits
// for iptables inside. Needs root.
#pragma once

#include <sys/types.h>

#include <string>

namespace support {

class sandbox {
 public:
  sandbox();  // throws std::runtime_error if the kernel refuses
  sandbox(const sandbox&) = delete;
  sandbox& operator=(const sandbox&) = delete;
  ~sandbox() { end(); }

  // Kills every process in it, and returns when they are gone.
  void end();

  // For child_options.
  [[nodiscard]] std::string pid_namespace() const;
  [[nodiscard]] std::string mount_namespace() const;

 private:
  pid_t init_ = -1;
};

}  // namespace support
