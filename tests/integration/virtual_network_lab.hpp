// virtual_network_lab: host-switch and a machine behind it whose stack is Linux's own: a tap in a network namespace,
// whose frames a thread of the test carries over a UNIX socket, as a VM's end of the link does.
//
//   lan 10.99.1.2 ── 10.99.1.1  host: host-switch ══ link.sock ══ carrier ── eth0 192.168.127.2  vm
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "link/framing.hpp"
#include "link/stream_link.hpp"
#include "link/tap_device.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "tests/integration/impaired_path.hpp"
#include "tests/integration/tcp_traffic.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"

namespace integration {

struct carrier_options {
  bool offload = false;                   // asks host-switch for it
  impairment toward_host{}, toward_vm{};  // of plain frames
};

// The VM's end of the link: the tap eth0, and one connection to host-switch at a time; it connects again when that
// ends.
class frame_carrier {
 public:
  frame_carrier(const support::netns& vm, std::string link_path, const carrier_options& options = {});
  ~frame_carrier();
  frame_carrier(const frame_carrier&) = delete;
  frame_carrier& operator=(const frame_carrier&) = delete;

  // Ends the connection now and makes no new one until resume().
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  [[nodiscard]] bool offload() const { return offload_; }  // whether frames have virtio-net headers now

 private:
  void run();
  void carry(base::unique_fd link);
  void wait(const links::stream_link& link, std::chrono::steady_clock::time_point latest);
  bool from_link(links::stream_link& link);
  bool from_tap(links::stream_link& link);
  bool deliver(links::stream_link& link);
  bool send(links::stream_link& link, links::bytes_span with_header);

  links::tap_device tap_;
  std::string path_;
  bool asks_offload_;
  impaired_path toward_host_, toward_vm_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::atomic<bool> stopping_ = false, paused_ = false, offload_ = false;
  std::thread thread_;
};

class virtual_network_lab : public testing::Test {
 protected:
  static constexpr net::endpoint gateway_api{net::address::v4(192, 168, 127, 1), 80};
  static constexpr net::address host_alias = net::address::v4(192, 168, 127, 254);
  static constexpr net::address vm_address = net::address::v4(192, 168, 127, 2);
  static constexpr net::address host_address = net::address::v4(10, 99, 1, 1);
  static constexpr net::address lan_address = net::address::v4(10, 99, 1, 2);
  static constexpr net::endpoint lan_server{lan_address, 7000};
  static constexpr std::uint16_t exposed_port = 8080;

  void SetUp() override;
  // The namespaces alone, without a VM's end of the link. Skips the test where there can be none.
  void make_places();
  void TearDown() override;

  // Another tap than the one of SetUp(), with the same addresses.
  void connect_vm(const carrier_options& options, unsigned mtu = 1500);
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
  // A counter or gauge of host-switch.
  [[nodiscard]] std::uint64_t metric(const std::string& name) const;
  // A connection of the VM to a server on the LAN, and one of a client on the LAN to an exposed port.
  tcp_pair connect_out();
  tcp_pair connect_in();
  tcp_pair connect_exposed();  // the port is exposed already
  // The output of a program in the VM.
  [[nodiscard]] support::command_output in_vm(std::vector<std::string> argv) const;

  std::optional<support::lab_directory> directory_;
  std::optional<support::netns> host_, vm_, lan_;
  std::optional<frame_carrier> carrier_;
  support::child_process host_switch_;
};

}  // namespace integration
