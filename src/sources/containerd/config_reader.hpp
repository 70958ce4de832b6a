// config_reader: reads containers' network configurations (network_config.hpp) without waiting for a file system that
// hangs, as a network's or a user's program's may: beside the control thread, with a deadline. A directory that hangs
// is waited for once, and not touched again before that reading has ended.
//
// Where the directory is, a label says, so one who may create containers can name many that hang. Directories outside
// of the usual places are bounded for each of containerd's namespaces and altogether; those in the usual places, which
// root alone writes, have a number of their own.
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

  // As read_network_config(); fails with timed_out, too, where the directory hangs: after a second, sooner while others
  // hang, at once where it is known to, or where too many of `name_space` do. Cancelled: throws operation_aborted.
  async::task<base::result<std::optional<std::string>>> read(std::string directory, std::string name_space);

 private:
  [[nodiscard]] std::size_t hanging_of(const std::string& name_space);
  async::task<base::result<std::optional<std::string>>> call(async::blocking_calls& calls, std::string directory);

  async::blocking_calls usual_, others_;
  std::map<std::string, std::set<std::string>> hanging_;  // by namespace, of `others_`
  base::log::throttle lines_;
};

// Pure: whether root alone can have put it there, in a place where nerdctl keeps its state.
[[nodiscard]] bool is_usual_directory(const std::string& directory);

}  // namespace containerd
