#include "tests/integration/network_setup_lab.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/text.hpp"

namespace integration {

void network_setup_lab::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun";
  directory_.emplace();
  vm_.emplace("vm");
  std::filesystem::create_directory(at("bin"));
}

void network_setup_lab::TearDown() {
  if (!directory_) return;
  if (setup_.running()) EXPECT_EQ(setup_.stop(), 0) << log();
  end_init();
  if (HasFailure()) std::fputs(log().c_str(), stderr);
}

void network_setup_lab::write_program(const std::string& name, const std::string& text) const {
  std::ofstream(at(name)) << "#!/bin/sh\n" << text;
  std::filesystem::permissions(at(name), std::filesystem::perms::owner_all);
}

std::vector<std::string> network_setup_lab::path_variable() const {
  return {fmt::format("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", at("bin"))};
}

std::vector<std::string> network_setup_lab::setup_command() const {
  const auto programs = support::program_directory();
  return {programs / "network-setup",
          "-logfile",
          at("setup.log"),
          "-vm-switch-logfile",
          at("switch.log"),
          "-vm-switch-path",
          programs / "vm-switch",
          "-connect",
          "handshake://" + at("link"),
          "-pid-file",
          at("pid")};
}

void network_setup_lab::start_setup(const std::vector<std::string>& service,
                                    const std::vector<std::string>& passed_on) {
  auto argv = setup_command();
  if (service.empty()) argv.insert(argv.end(), {"-unshare-arg", at("init")});
  argv.insert(argv.end(), service.begin(), service.end());
  argv.insert(argv.end(), passed_on.begin(), passed_on.end());
  auto environment = path_variable();
  if (!service.empty()) environment.emplace_back("SYSTEMD_EXEC_PID=1");
  setup_ = support::child_process({.argv = argv,
                                   .environment = environment,
                                   .log = at("output.log"),
                                   .net_namespace = vm_->path(),
                                   .rights = rights_});
}

pid_t network_setup_lab::init() const {
  return base::parse_number<pid_t>(base::trim(support::read_text(at("pid")))).value_or(-1);
}

pid_t network_setup_lab::switch_pid() const {
  const auto text = support::read_text(at("setup.log"));
  const std::string_view words = "vm-switch started pid=";
  const auto found = text.rfind(words);
  if (found == std::string::npos) return -1;
  const auto rest = std::string_view(text).substr(found + words.size());
  return base::parse_number<pid_t>(rest.substr(0, rest.find('\n'))).value_or(-1);
}

// unshare's child is the first process of a pid namespace: all others in it end with it.
void network_setup_lab::end_init() const {
  const auto unshare = init();
  if (unshare <= 0) return;
  const auto children = support::read_text(fmt::format("/proc/{0}/task/{0}/children", unshare));
  for (const auto word : base::split(base::trim(children), ' '))
    if (const auto child = base::parse_number<pid_t>(word)) ::kill(*child, SIGKILL);
}

std::string network_setup_lab::log() const {
  return support::read_text(at("setup.log")) + support::read_text(at("switch.log")) +
         support::read_text(at("output.log"));
}

}  // namespace integration
