// virtual_network_lab: host-switch and a machine behind it whose stack is Linux's own: a tap in a network namespace, whose
// frames a thread of the test carries over a UNIX socket, as a VM's end of the link does.
//
//   lan 10.99.1.2 ── 10.99.1.1  host: host-switch ══ link.sock ══ carrier ── eth0 192.168.127.2  vm
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"

namespace integration {

// The VM's end of the link: a tap, and one connection to host-switch at a time; it connects again when that ends.
class frame_carrier {
 public:
  frame_carrier(const support::netns& vm, std::string link_path);
  ~frame_carrier();
  frame_carrier(const frame_carrier&) = delete;
  frame_carrier& operator=(const frame_carrier&) = delete;

  // Ends the connection now and makes no new one until resume().
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void run();
  void carry(base::unique_fd link);

  base::unique_fd tap_;
  std::string path_;
  std::atomic<bool> stopping_ = false, paused_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

class virtual_network_lab : public testing::Test {
 protected:
  static constexpr net::endpoint gateway_api{net::address::v4(192, 168, 127, 1), 80};
  static constexpr net::address host_alias = net::address::v4(192, 168, 127, 254);
  static constexpr net::address vm_address = net::address::v4(192, 168, 127, 2);

  void SetUp() override;
  // The namespaces alone, without a VM's end of the link. Skips the test where there can be none.
  void make_places();
  void add_vm();
  void TearDown() override;

  void start(std::vector<std::string> flags = {});
  // The same through a program that execs the rest of its arguments.
  void start_by(std::vector<std::string> argv, const std::vector<std::string>& flags = {});
  // Waits until the VM reaches the gateway.
  void start_and_wait(std::vector<std::string> flags = {});
  [[nodiscard]] bool vm_is_connected() const;
  [[nodiscard]] std::string at(const char* name) const { return (directory_->path() / name).string(); }
  [[nodiscard]] std::string log() const { return support::read_text(at("host-switch.log")); }
  // The status of an expose call from the VM.
  int expose(std::string_view local, std::string_view remote, std::string_view protocol = "tcp") const;
  [[nodiscard]] support::child_process serve(const support::netns& where, std::vector<std::string> ports,
                                             const std::string& name) const;
  // The output of a program in the VM.
  [[nodiscard]] support::command_output in_vm(std::vector<std::string> argv) const;

  std::optional<support::lab_directory> directory_;
  std::optional<support::netns> host_, vm_, lan_;
  std::optional<frame_carrier> carrier_;
  support::child_process host_switch_;
};

}  // namespace integration
