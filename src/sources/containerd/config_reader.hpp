// config_reader: reads containers' network configurations (network_config.hpp) without waiting for a file system that
// hangs, as a network's or a user's program's may: beside the control thread, with a deadline. A directory that hangs
// is waited for once, and not touched again before that reading has ended.
#pragma once

#include <optional>
#include <string>

#include "io/blocking_calls.hpp"

namespace containerd {

class config_reader {
 public:
  config_reader();

  // As read_network_config(); fails with timed_out, too, where the directory hangs: after a second, sooner while others
  // hang, at once where it is known to. Cancelled: throws operation_aborted.
  io::task<base::result<std::optional<std::string>>> read(std::string directory);

 private:
  io::blocking_calls calls_;
};

}  // namespace containerd
