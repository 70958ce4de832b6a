// nat_place: a network namespace of the test's own with the rules of dockerd, in the real kernel, by iptables-nft. The
// test's thread is in it. Skips the test without root or iptables.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {

class nat_place : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-nft-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("nat");
    here_.emplace(*place_);
    place_->ip({"link", "add", "tap0", "type", "bridge"});
    place_->ip({"address", "add", "192.168.127.2/24", "dev", "tap0"});
    restore("*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n" + published() + "COMMIT\n");
  }
  static std::string published() {
    return docker_rule("127.0.0.1", 8081, "172.17.0.2:80") + docker_rule("127.0.0.1", 8082, "172.17.0.2:80");
  }
  void restore(const std::string& lines) const {
    std::ofstream(directory_ / "rules") << lines;
    support::run_or_throw({.argv = {"iptables-nft-restore", "--noflush"}, .stdin_file = directory_ / "rules"});
  }
  // The engine's rule for port 8081 gets a match that this program does not know, so that only the program can copy it.
  void need_the_program() const {
    restore(
        "*nat\n-I DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8081 -m addrtype --dst-type LOCAL -j DNAT "
        "--to-destination 172.17.0.2:80\nCOMMIT\n");
  }
  // Of this program's own chain, by iptables-<variant>.
  static std::vector<std::string> own_rules(const std::string& variant = "nft") {
    std::vector<std::string> found;
    const auto text = support::run_or_throw({.argv = {"iptables-" + variant + "-save", "-t", "nat"}});
    for (const auto line : base::split(text, '\n'))
      if (line.starts_with("-A " + tag)) found.emplace_back(line);
    return found;
  }
  static std::string route_localnet() {
    std::string value;
    std::ifstream("/proc/sys/net/ipv4/conf/tap0/route_localnet") >> value;
    return value;
  }

  const ports::forward web_ = wanted_by("abc", key("127.0.0.1", 8081)), local_ = listener(key("127.0.0.1", 9000));
  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

}  // namespace loopback
