// guest_agent: the program rancher-desktop-guestagent. Connects what wiring.hpp makes: sources publish into the
// controller, which gives every peer its part.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "agent/controller.hpp"
#include "agent/wiring.hpp"
#include "io/lock_file.hpp"
#include "io/unix_listener.hpp"
#include "program/daemon.hpp"

namespace agent {

class guest_agent final : public program::daemon {
 public:
  [[nodiscard]] program::about what() const override;
  void declare(base::flag_set& flags) override;
  base::result<> check(const program::command_line& given) override;
  base::result<> open(const io::executor& where) override;
  std::string start(io::task_group& tasks) override;
  // The sources stop first; then everything is taken back from every peer.
  io::task<> wind_up(io::clock::time_point deadline) override;
  [[nodiscard]] bool ends_at_once() const override { return true; }  // gRPC, look-ups of names

 private:
  configuration plan_{};
  std::optional<io::lock_file> state_lock_;
  std::optional<io::unix_listener> status_;
  std::unique_ptr<controller> middle_;
  std::vector<std::unique_ptr<ports::source>> sources_;
  std::optional<io::task_group> source_tasks_;
};

}  // namespace agent
