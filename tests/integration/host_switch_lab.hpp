// host_switch_lab: host-switch alone, as the package's unit runs it, with all machines that may try to reach it.
//
//   lan 10.99.1.2 ── 10.99.1.1  host  192.168.127.1 ──veth── 192.168.127.2  vm  10.99.2.1 ── 10.99.2.2 container
//                               host-switch
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/neighbour.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/raw_request.hpp"

namespace integration {

class host_switch_lab : public testing::Test {
 protected:
  static constexpr net::endpoint api{net::address::v4(192, 168, 127, 1), 80};
  static constexpr std::string_view gateway = "gateway.rancher-desktop.internal";

  void SetUp() override;
  void TearDown() override;

  void connect_vm();
  // Does not wait for it. `limit`: RLIMIT_NOFILE.
  void start(std::vector<std::string> flags = {}, std::optional<unsigned> limit = {});
  void start_and_wait(std::vector<std::string> flags = {}, std::optional<unsigned> limit = {});
  [[nodiscard]] std::string log() const { return support::read_text(log_file()); }

  // The status of a call, 0 without an answer.
  static int all(const support::place& from, const net::endpoint& at = api, std::string_view host = gateway);
  static int expose(const support::place& from, std::string_view local, std::string_view remote,
                    const std::vector<std::string>& headers = {"Host: gateway.rancher-desktop.internal"},
                    const net::endpoint& at = api);
  // The body of `all` for the VM.
  [[nodiscard]] std::string held() const;

  std::optional<support::lab_directory> directory_;
  std::optional<support::netns> host_, vm_;
  support::child_process host_switch_;

 private:
  [[nodiscard]] std::string log_file() const { return directory_->path() / "host-switch.log"; }
};

}  // namespace integration
