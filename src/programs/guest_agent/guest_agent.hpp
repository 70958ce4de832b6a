// guest_agent: the program rancher-desktop-guestagent. Connects what wiring.hpp makes: sources publish into the
// controller, which gives every peer its part.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "os/claimed_unix_path.hpp"
#include "os/lock_file.hpp"
#include "program/daemon.hpp"
#include "programs/guest_agent/controller.hpp"
#include "programs/guest_agent/rules_file.hpp"
#include "programs/guest_agent/status_page.hpp"
#include "programs/guest_agent/wiring.hpp"

namespace guest_agent {

class guest_agent final : public program::daemon {
 public:
  [[nodiscard]] program::about info() const override;
  void declare(program::flag_set& flags) override;
  base::result<> check(const program::command_line& given) override;
  [[nodiscard]] program::rights needs() const override;
  [[nodiscard]] bool confines_itself() const override { return true; }  // see open()
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;
  // The sources stop first; then everything is withdrawn from every peer.
  async::task<> shut_down(async::clock::time_point deadline) override;
  [[nodiscard]] bool ends_at_once() const override { return true; }  // look-ups of names

 private:
  configuration plan_{};
  bool rules_named_ = false;  // the command line has -rules
  std::optional<os::lock_file> state_lock_;
  std::unique_ptr<os::claimed_unix_path> status_;
  std::unique_ptr<rules_file> rules_;
  std::unique_ptr<controller> controller_;
  std::unique_ptr<status_page> page_;  // with -status-page
  std::vector<std::unique_ptr<ports::source>> sources_;
  std::unique_ptr<async::task_group> source_tasks_;
};

}  // namespace guest_agent
