#include "tests/support/unit_rights.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/lab.hpp"

namespace support {
namespace {

// In the order of their numbers.
constexpr std::array<std::string_view, CAP_LAST_CAP + 1> names{"CAP_CHOWN",
                                                               "CAP_DAC_OVERRIDE",
                                                               "CAP_DAC_READ_SEARCH",
                                                               "CAP_FOWNER",
                                                               "CAP_FSETID",
                                                               "CAP_KILL",
                                                               "CAP_SETGID",
                                                               "CAP_SETUID",
                                                               "CAP_SETPCAP",
                                                               "CAP_LINUX_IMMUTABLE",
                                                               "CAP_NET_BIND_SERVICE",
                                                               "CAP_NET_BROADCAST",
                                                               "CAP_NET_ADMIN",
                                                               "CAP_NET_RAW",
                                                               "CAP_IPC_LOCK",
                                                               "CAP_IPC_OWNER",
                                                               "CAP_SYS_MODULE",
                                                               "CAP_SYS_RAWIO",
                                                               "CAP_SYS_CHROOT",
                                                               "CAP_SYS_PTRACE",
                                                               "CAP_SYS_PACCT",
                                                               "CAP_SYS_ADMIN",
                                                               "CAP_SYS_BOOT",
                                                               "CAP_SYS_NICE",
                                                               "CAP_SYS_RESOURCE",
                                                               "CAP_SYS_TIME",
                                                               "CAP_SYS_TTY_CONFIG",
                                                               "CAP_MKNOD",
                                                               "CAP_LEASE",
                                                               "CAP_AUDIT_WRITE",
                                                               "CAP_AUDIT_CONTROL",
                                                               "CAP_SETFCAP",
                                                               "CAP_MAC_OVERRIDE",
                                                               "CAP_MAC_ADMIN",
                                                               "CAP_SYSLOG",
                                                               "CAP_WAKE_ALARM",
                                                               "CAP_BLOCK_SUSPEND",
                                                               "CAP_AUDIT_READ",
                                                               "CAP_PERFMON",
                                                               "CAP_BPF",
                                                               "CAP_CHECKPOINT_RESTORE"};

std::uint64_t parse_set(std::string_view text) {
  std::uint64_t set = 0;
  for (const auto word : base::split(text, ' ')) {
    if (word.empty()) continue;
    const auto* const at = std::ranges::find(names, word);
    if (at == names.end()) throw std::runtime_error("no capability: " + std::string(word));
    set |= std::uint64_t{1} << (at - names.begin());
  }
  return set;
}

// The hexadecimal number behind `key` in a status file of /proc.
std::uint64_t number_in(const std::string& status, const std::string& key) {
  const auto words = "\n" + key + ":\t";
  const auto at = status.find(words);
  if (at == std::string::npos) throw std::runtime_error("no " + key + " in the status of a thread");
  return std::stoull(status.substr(at + words.size(), 16), nullptr, 16);
}

held_rights parse_status(const std::string& status) {
  return {.permitted = number_in(status, "CapPrm"),
          .effective = number_in(status, "CapEff"),
          .inheritable = number_in(status, "CapInh"),
          .ambient = number_in(status, "CapAmb"),
          .bounding = number_in(status, "CapBnd"),
          .no_new_privileges = number_in(status, "NoNewPrivs") == 1,
          .filtered = number_in(status, "Seccomp") == 2};
}

}  // namespace

std::string_view name_of_capability(unsigned number) {
  return number < names.size() ? names.at(number) : std::string_view();
}

unit_rights parse_unit_rights(std::string_view unit_file) {
  constexpr std::string_view set_key = "CapabilityBoundingSet=", privileges_key = "NoNewPrivileges=";
  unit_rights made;
  std::optional<std::uint64_t> set;
  for (const auto line : base::split(unit_file, '\n')) {
    if (line.starts_with(set_key)) set = parse_set(line.substr(set_key.size()));
    if (line.starts_with(privileges_key)) made.no_new_privileges = line.substr(privileges_key.size()) == "yes";
  }
  if (!set) throw std::runtime_error("the unit has no CapabilityBoundingSet");
  made.capabilities = *set;
  return made;
}

unit_rights rights_of_unit(const std::string& unit) {
  const auto file = std::string(GUESTAGENT_SOURCE_DIR) + "/packaging/systemd/" + unit + ".service";
  const auto text = read_text(file);
  if (text.empty()) throw std::runtime_error("cannot read " + file);
  return parse_unit_rights(text);
}

// A program that root executes gets what the bounding set leaves.
unit_rights unit_rights::without(unsigned capability) const {
  if (!has(capability)) throw std::invalid_argument(fmt::format("the unit has no {}", name_of_capability(capability)));
  return {capabilities & ~(std::uint64_t{1} << capability), no_new_privileges};
}

bool unit_rights::apply() const {
  for (unsigned number = 0; number < names.size(); ++number)
    if (!has(number) && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EINVAL) return false;
  return !no_new_privileges || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

std::vector<held_rights> rights_of_threads(pid_t process) {
  const auto tasks = fmt::format("/proc/{}/task", process);
  std::vector<held_rights> all{parse_status(read_text(fmt::format("{}/{}/status", tasks, process)))};
  for (const auto& entry : std::filesystem::directory_iterator(tasks))
    if (entry.path().filename() != std::to_string(process))
      all.push_back(parse_status(read_text(entry.path() / "status")));
  return all;
}

bool programs_filter_calls() {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return !programs_are_this_builds();
#else
  return true;
#endif
}

}  // namespace support
