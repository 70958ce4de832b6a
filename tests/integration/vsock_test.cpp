// vtunnel and the privileged service over real virtual sockets (AF_VSOCK): inside a virtual machine in QEMU, with
// Debian's kernel and an initramfs of the programs, with both ends in it (context id 1) and the rights
// of their units. The machine that runs the tests needs neither KVM nor a kernel with virtual sockets. guest/init
// runs inside.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/temp_dir.hpp"

namespace integration {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using support::run_or_throw;

constexpr const char* qemu = "/usr/bin/qemu-system-x86_64";
constexpr std::chrono::milliseconds boot_limit = 150s;  // ten seconds on an idle machine

const fs::path source = GUESTAGENT_SOURCE_DIR;

// The file's only match of `prefix` in the directory.
fs::path find_in(const fs::path& directory, std::string_view prefix) {
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().filename().string().starts_with(prefix)) return entry.path();
  throw std::runtime_error(fmt::format("no {} in {}", prefix, directory.string()));
}

class guest {
 public:
  guest() {
    for (const auto* name : {"bin", "modules", "proc", "dev"}) fs::create_directories(root_ / name);
    fs::copy_file("/usr/bin/busybox", root_ / "bin/busybox");
    fs::create_symlink("busybox", root_ / "bin/sh");
    for (const auto* file : {"init", "vtunnel.yaml", "other.yaml"})
      fs::copy_file(source / "tests/integration/guest" / file, root_ / file);
  }
  // With the libraries that it loads.
  void add_program(const fs::path& program) const {
    run_or_throw({.argv = {"strip", "-o", root_ / "bin" / program.filename(), program}});
    std::istringstream lines(run_or_throw({.argv = {"ldd", program}}));
    for (std::string word; lines >> word;) {
      if (!word.starts_with('/') || fs::exists(root_ / word.substr(1))) continue;
      fs::create_directories((root_ / word.substr(1)).parent_path());
      fs::copy_file(word, root_ / word.substr(1));
    }
  }
  void add_modules(const fs::path& kernel) const {
    const auto modules = find_in(kernel / "lib/modules", "") / "kernel/net";
    for (const fs::path name : {"vmw_vsock/vsock.ko", "vmw_vsock/vmw_vsock_virtio_transport_common.ko",
                                "vmw_vsock/vsock_loopback.ko", "ipv4/inet_diag.ko", "ipv4/tcp_diag.ko"})
      fs::copy_file(modules / name, root_ / "modules" / name.filename());
  }
  // The program `as_<unit>` executes its arguments with the rights of that systemd unit.
  void add_unit(const std::string& unit) const {
    const auto rights = support::rights_of_unit(unit);
    std::string set = "-all";
    for (unsigned number = 0; number < 64; ++number)
      if (rights.has(number)) set += fmt::format(",+cap_{}", number);
    const auto file = root_ / "bin" / ("as_" + unit);
    std::ofstream(file) << fmt::format("#!/bin/sh\nexec /bin/setpriv --bounding-set={} {} \"$@\"\n", set,
                                       rights.no_new_privileges ? "--no-new-privs" : "");
    fs::permissions(file, fs::perms::owner_all);
  }
  // The machine's console output until it is off.
  [[nodiscard]] std::string run(const fs::path& kernel) const {
    const auto image = directory_.path() / "initramfs";
    run_or_throw({.argv = {"sh", "-c", "cd \"$1\" && find . | busybox cpio -o -H newc >\"$2\"", "-", root_, image}});
    const auto ended = support::run_command({.argv = {qemu,      "-accel",
                                                      "tcg",     "-cpu",
                                                      "max",     "-m",
                                                      "384",     "-display",
                                                      "none",    "-serial",
                                                      "stdio",   "-monitor",
                                                      "none",    "-nic",
                                                      "none",    "-no-reboot",
                                                      "-kernel", find_in(kernel / "boot", "vmlinuz-"),
                                                      "-initrd", image,
                                                      "-append", "console=ttyS0 quiet panic=-1 no_timer_check"}},
                                            boot_limit);
    return ended.text;
  }

 private:
  support::temp_dir directory_;
  fs::path root_ = directory_.path() / "root";
};

TEST(vsock, handshake_and_tunnels_in_a_virtual_machine) {
  if (!fs::exists(qemu)) GTEST_SKIP() << qemu << " is not installed";
  const fs::path kernel(base::trim(run_or_throw({.argv = {source / "scripts/guest_kernel"}}, 120s)));
  const guest machine;
  machine.add_program(support::program_directory() / "vtunnel");
  machine.add_program(support::program_directory() / "privileged-service");
  machine.add_program("/usr/bin/setpriv");
  for (const auto* unit : {"vtunnel-peer", "vtunnel-host", "privileged-service"}) machine.add_unit(unit);
  machine.add_modules(kernel);
  const auto console = machine.run(kernel);
  for (const auto* what : {"handshake", "half-close", "other user", "message"})
    EXPECT_THAT(console, testing::HasSubstr(fmt::format("GUEST: ok {}\r\n", what)));
  EXPECT_THAT(console, testing::HasSubstr("GUEST: end"));
}

}  // namespace
}  // namespace integration
