#include "tests/integration/guest_machine.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/fetch.hpp"
#include "tests/support/unit_rights.hpp"

namespace integration {
namespace {

namespace fs = std::filesystem;
using support::run_or_throw;

constexpr const char* qemu = "/usr/bin/qemu-system-x86_64";

const fs::path source = GUESTAGENT_SOURCE_DIR;

// The first entry of the directory with this beginning.
fs::path find_in(const fs::path& directory, std::string_view prefix) {
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().filename().string().starts_with(prefix)) return entry.path();
  throw std::runtime_error(fmt::format("no {} in {}", prefix, directory.string()));
}

fs::path find_module(const fs::path& kernel, const std::string& name) {
  for (const auto& entry : fs::recursive_directory_iterator(kernel / "lib/modules"))
    if (entry.path().filename() == name + ".ko") return entry.path();
  throw std::runtime_error("the kernel has no module " + name);
}

// The files that the dynamic linker loads for a program; none for a static one.
std::vector<std::string> libraries_of(const fs::path& program) {
  const auto listed = support::run_command({.argv = {"ldd", program}});
  if (listed.exit_code != 0) return {};
  std::istringstream words(listed.text);
  std::vector<std::string> found;
  for (std::string word; words >> word;)
    if (word.starts_with('/')) found.push_back(word);
  return found;
}

}  // namespace

std::string guest_machine::missing() {
  return fs::exists(qemu) ? support::fetch_failure("guest_kernel") : fmt::format("{} is not installed", qemu);
}

guest_machine::guest_machine(const std::string& checks) : kernel_(support::fetch("guest_kernel")) {
  for (const auto* name : {"bin", "modules", "proc", "dev", "run", "tmp", "etc"}) fs::create_directories(root_ / name);
  fs::copy_file("/usr/bin/busybox", root_ / "bin/busybox");
  fs::create_symlink("busybox", root_ / "bin/sh");
  std::ofstream(root_ / "modules/order") << "";
  add_file(source / "tests/integration/guest/init");
  add_file(source / "tests/integration/guest" / checks, "checks");
}

void guest_machine::add_file(const fs::path& file, const std::string& name) const {
  fs::copy_file(file, root_ / (name.empty() ? file.filename().string() : name));
}

void guest_machine::add_program(const fs::path& program, const std::string& name) const {
  const auto in_guest = root_ / "bin" / (name.empty() ? program.filename().string() : name);
  run_or_throw({.argv = {"strip", "-o", in_guest, program}});
  for (const auto& library : libraries_of(program)) {
    const auto copy = root_ / library.substr(1);
    if (fs::exists(copy)) continue;
    fs::create_directories(copy.parent_path());
    fs::copy_file(library, copy);
  }
}

void guest_machine::add_modules(const std::vector<std::string>& names) const {
  std::ofstream order(root_ / "modules/order", std::ios::app);
  for (const auto& name : names) {
    const auto module = find_module(kernel_, name);
    fs::copy_file(module, root_ / "modules" / module.filename());
    order << name << '\n';
  }
}

void guest_machine::add_unit(const std::string& unit) const {
  const auto rights = support::rights_of_unit(unit);
  std::string set = "-all";
  for (unsigned number = 0; number < 64; ++number)
    if (rights.has(number)) set += fmt::format(",+cap_{}", number);
  const auto file = root_ / "bin" / ("as_" + unit);
  std::ofstream(file) << fmt::format("#!/bin/sh\nexec /bin/setpriv --bounding-set={} {} \"$@\"\n", set,
                                     rights.no_new_privileges ? "--no-new-privs" : "");
  fs::permissions(file, fs::perms::owner_all);
}

void guest_machine::connect_network(const fs::path& socket, const std::string& mac) {
  // Without event_idx: with it, a guest under load stops sending for good. QEMU 7.2 has taken all its frames then, and
  // waits for more: a notice seems to get lost.
  network_ = {"-netdev", "stream,id=net,server=off,addr.type=unix,addr.path=" + socket.string(), "-device",
              fmt::format("virtio-net-pci,netdev=net,mac={},romfile=,event_idx=off", mac)};
}

void guest_machine::add_network_modules() const {
  add_modules({"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover",
               "net_failover", "virtio_net"});
}

void guest_machine::start() {
  const auto image = directory_.path() / "initramfs", console = directory_.path() / "console";
  if (!fs::exists(image))
    run_or_throw({.argv = {"sh", "-c", "cd \"$1\" && find . | busybox cpio -o -H newc >\"$2\"", "-", root_, image}});
  std::vector<std::string> argv{qemu,
                                "-accel",
                                "tcg",
                                "-cpu",
                                "max",
                                "-m",
                                "512",
                                "-display",
                                "none",
                                "-serial",
                                "stdio",
                                "-monitor",
                                "none",
                                "-kernel",
                                find_in(kernel_ / "boot", "vmlinuz-"),
                                "-initrd",
                                image,
                                "-append",
                                "console=ttyS0 quiet panic=-1 no_timer_check",
                                "-no-reboot"};
  argv.insert(argv.end(), network_.begin(), network_.end());
  fs::remove(console);
  qemu_ = support::child_process({.argv = argv, .log = console});
}

bool guest_machine::said(std::string_view what) const {
  return console().find(fmt::format("GUEST: ok {}\r\n", what)) != std::string::npos;
}

}  // namespace integration
