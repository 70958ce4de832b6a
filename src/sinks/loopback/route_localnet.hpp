// route_localnet: lets packets for 127.0.0.1 come in by one interface (net.ipv4.conf.<interface>.route_localnet), and
// puts back what was there before, also what a crashed run found: the former value lies in a file until it is restored.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace loopback {

class route_localnet {
 public:
  // `state_file`: where the former value is kept; its directory exists, or is made. The other two are the kernel's.
  explicit route_localnet(std::filesystem::path state_file, std::filesystem::path settings = "/proc/sys/net/ipv4/conf",
                          const std::filesystem::path& boot_id = "/proc/sys/kernel/random/boot_id");

  // Sets it on this interface; nothing to do if it is set. One interface at a time: the former one's is restored.
  base::result<> enable(const std::string& interface);
  // Restores it; nothing to do if it was not enabled by this program since the machine was booted.
  base::result<> restore();

 private:
  struct saved {
    std::string boot;
    std::string interface;
    char value = '0';
  };
  [[nodiscard]] std::filesystem::path setting(const std::string& interface) const {
    return settings_ / interface / "route_localnet";
  }
  [[nodiscard]] std::optional<saved> read_state() const;
  [[nodiscard]] base::result<> write_state(const saved& what) const;

  std::filesystem::path state_file_, settings_;
  std::string boot_;
};

}  // namespace loopback
