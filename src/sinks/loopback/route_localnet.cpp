#include "sinks/loopback/route_localnet.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace loopback {
namespace {

base::result<std::string> read_line(const std::filesystem::path& file) {
  const base::unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + file.string());
  std::array<char, 256> text{};
  const auto got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return base::fail_errno("read " + file.string());
  return std::string(base::trim({text.data(), static_cast<std::size_t>(got)}));
}

base::result<> write_line(const std::filesystem::path& file, int flags, std::string_view text) {
  const base::unique_fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600));
  if (!fd) return base::fail_errno("open " + file.string());
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return base::fail_errno("write " + file.string());
  return {};
}

// A name that leads out of the directory is none; the kernel allows no such name either.
bool is_interface_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/ ") == std::string_view::npos;
}

}  // namespace

route_localnet::route_localnet(std::filesystem::path state_file, std::filesystem::path settings,
                               const std::filesystem::path& boot_id)
    : state_file_(std::move(state_file)),
      settings_(std::move(settings)),
      boot_(read_line(boot_id).value_or("unknown")) {}

// "<boot id> <interface> <former value>"
std::optional<route_localnet::saved> route_localnet::read_state() const {
  const auto text = read_line(state_file_);
  if (!text) return std::nullopt;
  const auto words = base::split(*text, ' ');
  if (words.size() != 3 || words[0] != boot_ || !is_interface_name(words[1])) return std::nullopt;
  if (words[2] != "0" && words[2] != "1") return std::nullopt;
  return saved{boot_, std::string(words[1]), words[2][0]};
}

base::result<> route_localnet::write_state(const saved& what) const {
  std::error_code failed;
  std::filesystem::create_directories(state_file_.parent_path(), failed);
  if (failed) return base::fail(failed, "create " + state_file_.parent_path().string());
  auto fresh = state_file_;
  fresh += ".new";
  auto written = write_line(fresh, O_CREAT | O_TRUNC, what.boot + ' ' + what.interface + ' ' + what.value + '\n');
  if (!written) return written;
  std::filesystem::rename(fresh, state_file_, failed);
  if (failed) return base::fail(failed, "rename " + fresh.string());
  return {};
}

base::result<> route_localnet::enable(const std::string& interface) {
  if (!is_interface_name(interface))
    return base::fail(std::errc::invalid_argument, "interface " + base::printable(interface));
  const auto now = read_line(setting(interface));
  if (!now) return std::unexpected(now.error());
  const auto before = read_state();
  if (before && before->interface != interface)
    if (auto restored = restore(); !restored) return restored;
  if (*now == "1") return {};
  if (!before || before->interface != interface) {
    auto kept = write_state({boot_, interface, '0'});
    if (!kept) return kept;
  }
  return write_line(setting(interface), 0, "1\n");
}

base::result<> route_localnet::restore() {
  const auto before = read_state();
  if (before) {
    auto written = write_line(setting(before->interface), 0, std::string(1, before->value) + '\n');
    const bool gone = !written && written.error().code == std::errc::no_such_file_or_directory;  // with its interface
    if (!written && !gone) return written;
  }
  std::error_code ignored;
  std::filesystem::remove(state_file_, ignored);
  return {};
}

}  // namespace loopback
