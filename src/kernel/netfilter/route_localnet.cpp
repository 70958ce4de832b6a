#include "kernel/netfilter/route_localnet.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <expected>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/read_file.hpp"
#include "base/replace_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace netfilter {
namespace {

base::result<std::string> read_text(const std::filesystem::path& file) {
  const auto text = base::read_file(file.string());
  if (!text) return std::unexpected(text.error());
  return std::string(base::trim(*text));
}

base::result<> write_setting(const std::filesystem::path& file, std::string_view text) {
  const base::unique_fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + file.string());
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return base::fail_errno("write " + file.string());
  return {};
}

// A name that leads out of the directory is invalid; the kernel rejects such names too.
bool is_interface_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/ ") == std::string_view::npos;
}

}  // namespace

route_localnet::route_localnet(std::filesystem::path state_file, std::filesystem::path settings,
                               const std::filesystem::path& boot_id)
    : state_file_(std::move(state_file)), settings_(std::move(settings)), boot_(read_text(boot_id)) {}

// One line for each interface: "<boot id> <interface> <former value>". Without a file nothing was changed. An
// unreadable file is an error, because it may name any interface.
base::result<route_localnet::former_values> route_localnet::read_state() const {
  if (!boot_) return std::unexpected(boot_.error());
  const auto text = read_text(state_file_);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return former_values{};
  if (!text) return std::unexpected(text.error());
  former_values values;
  for (const auto line : base::split(*text, '\n')) {
    const auto words = base::split(line, ' ');
    if (words.size() != 3 || words[0] != *boot_ || !is_interface_name(words[1])) continue;
    if (words[2] == "0" || words[2] == "1") values.emplace(words[1], words[2][0]);
  }
  return values;
}

base::result<> route_localnet::write_state(const former_values& values) const {
  std::error_code failed;
  if (values.empty()) {
    std::filesystem::remove(state_file_, failed);
    return failed ? base::fail(failed, "remove " + state_file_.string()) : base::result<>{};
  }
  std::filesystem::create_directories(state_file_.parent_path(), failed);
  if (failed) return base::fail(failed, "create " + state_file_.parent_path().string());
  std::string text;
  for (const auto& [interface, value] : values) text += *boot_ + ' ' + interface + ' ' + value + '\n';
  return base::replace_file(state_file_, text);
}

// The former value is on disk before the setting changes.
base::result<> route_localnet::enable_one(const std::string& interface, former_values& before) {
  if (!is_interface_name(interface))
    return base::fail(std::errc::invalid_argument, "interface " + base::printable(interface));
  const auto now = read_text(setting(interface));
  if (!now) return std::unexpected(now.error());
  if (*now == "1") return {};
  if (before.emplace(interface, '0').second)
    if (auto kept = write_state(before); !kept) return kept;
  return write_setting(setting(interface), "1\n");
}

base::result<> route_localnet::enable(const std::set<std::string>& interfaces) {
  if (auto restored = restore_unless(interfaces); !restored) return restored;
  auto before = read_state();
  if (!before) return std::unexpected(before.error());
  for (const auto& interface : interfaces)
    if (auto enabled = enable_one(interface, *before); !enabled) return enabled;
  return {};
}

base::result<> route_localnet::restore_unless(const std::set<std::string>& stays) {
  const auto all = read_state();
  if (!all) return std::unexpected(all.error());
  auto before = *all;
  base::result<> result;
  for (const auto& [interface, value] : *all) {
    if (stays.contains(interface)) continue;
    auto written = write_setting(setting(interface), std::string(1, value) + '\n');
    const bool gone = !written && written.error().code == std::errc::no_such_file_or_directory;  // with its interface
    if (written || gone)
      before.erase(interface);
    else
      result = written;
  }
  if (before == *all && !before.empty()) return result;
  const auto kept = write_state(before);
  return result ? kept : result;
}

base::result<> route_localnet::restore() { return restore_unless({}); }

}  // namespace netfilter
