// route_localnet: lets packets for 127.0.0.1 come in by some interfaces (net.ipv4.conf.<interface>.route_localnet), and
// puts back what was there before, also what a crashed run found: the former values lie in a file until they are
// restored.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/result.hpp"

namespace netfilter {

class route_localnet {
 public:
  // `state_file`: where the former values are kept; its directory exists, or is made. The other two are the kernel's.
  explicit route_localnet(std::filesystem::path state_file, std::filesystem::path settings = "/proc/sys/net/ipv4/conf",
                          const std::filesystem::path& boot_id = "/proc/sys/kernel/random/boot_id");

  // Sets it on these interfaces, and restores it on the others that this program has set; nothing to do where it is
  // set.
  base::result<> enable(const std::set<std::string>& interfaces);
  // Restores it on the others alone.
  base::result<> restore_unless(const std::set<std::string>& stays);
  // Restores all; nothing to do if it was not enabled by this program since the machine was booted. Fails, and forgets
  // nothing, where the former values cannot be read.
  base::result<> restore();

 private:
  using former_values = std::map<std::string, char>;  // by interface
  [[nodiscard]] std::filesystem::path setting(const std::string& interface) const {
    return settings_ / interface / "route_localnet";
  }
  [[nodiscard]] base::result<former_values> read_state() const;
  [[nodiscard]] base::result<> write_state(const former_values& values) const;
  base::result<> enable_one(const std::string& interface, former_values& before);

  std::filesystem::path state_file_, settings_;
  base::result<std::string> boot_;  // the id of this boot
};

}  // namespace netfilter
