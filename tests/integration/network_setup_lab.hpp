// network_setup_lab: network-setup as a process in a namespace that stands for the VM's. A program of the test is its
// DHCP client, and another one is the first process of the engine's namespace, which network-setup makes.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"

namespace integration {

class network_setup_lab : public testing::Test {
 protected:
  void SetUp() override;     // skips the test if something is missing
  void TearDown() override;  // shows the logs after a failure

  [[nodiscard]] std::string at(const std::string& name) const { return (directory_->path() / name).string(); }
  void write_program(const std::string& name, const std::string& text) const;
  // Finds the test's programs, "bin/udhcpc" among them, before the system's.
  [[nodiscard]] std::vector<std::string> path_variable() const;
  // Connects to "link" by the handshake.
  [[nodiscard]] std::vector<std::string> setup_command() const;
  // The engine's namespace is that of "init" unless `service` has flags that name another one.
  void start_setup(const std::vector<std::string>& service = {}, const std::vector<std::string>& passed_on = {});

  [[nodiscard]] pid_t init() const;        // unshare of the engine's namespace; -1: none
  [[nodiscard]] pid_t switch_pid() const;  // of the latest vm-switch, by the log
  void end_init() const;                   // with all in the engine's namespace
  [[nodiscard]] std::string log() const;

  std::optional<support::lab_directory> directory_;
  std::optional<support::netns> vm_;
  std::optional<support::unit_rights> rights_;  // of network-setup; nothing: all of the test's
  support::child_process setup_;
};

}  // namespace integration
