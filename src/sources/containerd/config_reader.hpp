// config_reader: reads containers' network configurations (network_config.hpp) beside the control thread, with a
// deadline, since a network or FUSE file system may hang. A directory that hangs is waited for once, and not read again
// before that reading has ended.
//
// A label names the directory, so anyone who can create containers can name many that hang. Directories outside of the
// usual places are bounded for each of containerd's namespaces and in total. The usual places, which only root can
// write, have a bound of their own.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "async/blocking_calls.hpp"
#include "base/episode.hpp"

namespace containerd {

class config_reader {
 public:
  config_reader();

  static constexpr std::size_t most_hanging_of_a_namespace = 4;

  // As read_network_config(). Also fails with timed_out if the directory hangs: after a second, sooner while others
  // hang, and at once if it is known to hang or too many of `name_space` do. Cancelled: throws operation_aborted.
  async::task<base::result<std::optional<std::string>>> read(std::string directory, std::string name_space);

 private:
  [[nodiscard]] std::size_t hanging_of(const std::string& name_space);
  async::task<base::result<std::optional<std::string>>> call(async::blocking_calls& calls, std::string directory);

  async::blocking_calls usual_, others_;
  std::map<std::string, std::set<std::string>> hanging_;  // by namespace, of `others_`
  base::log::throttle lines_;
};

// Pure: whether it is in a place where nerdctl keeps its state and only root can write.
[[nodiscard]] bool is_usual_directory(const std::string& directory);

}  // namespace containerd
