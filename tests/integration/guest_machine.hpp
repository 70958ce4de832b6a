// guest_machine: a virtual machine in QEMU, with Debian's kernel and an initramfs that the test fills. It needs neither
// KVM nor a kernel of ours with virtual sockets: QEMU emulates the processor. guest/init is its first process; it loads
// the modules, runs one script of guest/ and switches the machine off. Results are lines "GUEST: ok …" on the console.
//
// The machine ends with this object. Making one throws std::runtime_error without a kernel; see missing().
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace integration {

class guest_machine {
 public:
  // Why there can be no machine here; empty if there can.
  [[nodiscard]] static std::string missing();

  // `checks`: the script of guest/ that it runs.
  explicit guest_machine(const std::string& checks);

  // To its root directory.
  void add_file(const std::filesystem::path& file, const std::string& name = {}) const;
  // To /bin, with the libraries that it loads.
  void add_program(const std::filesystem::path& program, const std::string& name = {}) const;
  // They are loaded in this order.
  void add_modules(const std::vector<std::string>& names) const;
  // The program `as_<unit>` executes its arguments with the rights of that systemd unit.
  void add_unit(const std::string& unit) const;
  // An interface eth0 (virtio-net) whose frames go to the server at this UNIX socket, each behind four bytes of length.
  void connect_network(const std::filesystem::path& socket, const std::string& mac = "5a:94:ef:e4:0c:ee");
  void add_network_modules() const;

  void start();
  // SIGKILL to QEMU: the machine is gone without a word.
  void kill9() { qemu_.kill9(); }
  // Waits until it is off. False at the deadline.
  [[nodiscard]] bool wait_for_end(std::chrono::milliseconds limit) { return qemu_.wait(limit).has_value(); }
  // What it has written since the last start.
  [[nodiscard]] std::string console() const { return support::read_text(directory_.path() / "console"); }
  // Whether it has written the line "GUEST: ok <what>".
  [[nodiscard]] bool said(std::string_view what) const;

 private:
  support::temp_dir directory_;
  std::filesystem::path root_ = directory_.path() / "root", kernel_;
  std::vector<std::string> network_{"-nic", "none"};
  support::child_process qemu_;
};

}  // namespace integration
