#include "tests/support/control_group.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "tests/support/unique_name.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

// A control group's files cannot be removed, only its directories, the deepest first.
void remove_control_group(const fs::path& group) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(group, gone))
    if (entry.is_directory(gone)) remove_control_group(entry.path());
  ::rmdir(group.c_str());
}

// The file is that of version 1 or of version 2.
void thaw_control_group(const fs::path& group) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(group, gone))
    if (entry.is_directory(gone)) thaw_control_group(entry.path());
  for (const auto& [file, value] : {std::pair("freezer.state", "THAWED"), std::pair("cgroup.freeze", "0")})
    if (fs::exists(group / file, gone)) std::ofstream(group / file) << value;
}

void for_each_hierarchy(const std::function<void(const fs::path&)>& visit) {
  const fs::path root = "/sys/fs/cgroup";
  visit(root);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(root, none))
    if (entry.is_directory() && !entry.is_symlink()) visit(entry.path());
}

}  // namespace

void thaw_control_groups(std::string_view name) {
  for_each_hierarchy([&](const fs::path& at) { thaw_control_group(at / name); });
}

void remove_control_groups(std::string_view name) {
  for_each_hierarchy([&](const fs::path& at) { remove_control_group(at / name); });
}

void remove_leftover_control_groups() {
  for_each_hierarchy([](const fs::path& at) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(at, none))
      if (is_leftover(entry.path().filename().string())) {
        thaw_control_group(entry.path());
        remove_control_group(entry.path());
      }
  });
}

}  // namespace support
