// one_program_lab: one of the programs at a time, in a network namespace and with a directory of the test's own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/unit_rights.hpp"

namespace integration {

namespace fs = std::filesystem;
using support::eventually;
using testing::HasSubstr;

class one_program_lab : public testing::Test {
 protected:
  static constexpr std::chrono::seconds patience{20};

  struct launch {
    std::vector<std::string> argv;                    // the program's name first
    std::optional<support::unit_rights> rights{};     // nothing: all of the test's
    std::vector<std::string> variables{}, through{};  // of its environment; a command that executes it
  };

  void SetUp() override;  // skips the test if something is missing

  // In place of the former program and its log.
  void launch_program(launch what);
  // Whether the log contains these words in time.
  [[nodiscard]] bool has_logged(std::string_view words) const;
  [[nodiscard]] bool serves() const { return has_logged(": ready version="); }
  [[nodiscard]] bool listens(std::uint16_t tcp_port) const;  // at 127.0.0.1
  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::string at(std::string_view name) const { return (directory_.path() / name).string(); }
  void write(std::string_view name, std::string_view text) const;
  void write_tunnel(std::uint16_t peer_port) const;  // "vtunnel.yaml", with UNIX sockets for virtual ones
  // Sends the text as one line to the UNIX socket "socket", as a client of wsl-proxy or the privileged service does.
  void send_message(std::string_view text) const;

  support::lab_directory directory_;
  support::netns place_{"one"};
  support::child_process program_;
};

}  // namespace integration
