// route_localnet: lets packets for 127.0.0.1 come in by some interfaces (net.ipv4.conf.<interface>.route_localnet), and
// restores the former values, including those that a crashed run found. A file keeps them until they are restored.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/result.hpp"

namespace netfilter {

class route_localnet {
 public:
  // `state_file` keeps the former values; its directory is created. The other two are the kernel's.
  explicit route_localnet(std::filesystem::path state_file, std::filesystem::path settings = "/proc/sys/net/ipv4/conf",
                          const std::filesystem::path& boot_id = "/proc/sys/kernel/random/boot_id");

  // Sets it on these interfaces, and restores the others that this program has set.
  base::result<> enable(const std::set<std::string>& interfaces);
  // Restores the others without setting these.
  base::result<> restore_unless(const std::set<std::string>& stays);
  // Restores every interface that this program has set since the machine booted. Fails, and keeps the former values,
  // if they cannot be read.
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
