#include "tests/integration/host_switch_lab.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "tests/support/eventually.hpp"

namespace integration {

using namespace std::chrono_literals;

void host_switch_lab::SetUp() {
  if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
  directory_.emplace();
  host_.emplace("host");
  vm_.emplace("vm");
  connect_vm();
}

void host_switch_lab::TearDown() {
  if (host_switch_.running()) EXPECT_EQ(host_switch_.stop(), 0);
  if (HasFailure() && directory_) std::fputs(log().c_str(), stderr);
}

void host_switch_lab::connect_vm() {
  support::connect({&*host_, "rd", "192.168.127.1/24"}, {&*vm_, "eth0", "192.168.127.2/24"});
}

void host_switch_lab::start(std::vector<std::string> flags, std::optional<unsigned> limit) {
  std::vector<std::string> argv;
  if (limit) argv = {"prlimit", fmt::format("--nofile={0}:{0}", *limit)};
  argv.push_back(support::program_directory() / "host-switch");
  argv.emplace_back("-network=kernel");
  argv.insert(argv.end(), flags.begin(), flags.end());
  host_switch_.kill9();
  host_switch_ = support::child_process({.argv = argv,
                                         .log = log_file(),
                                         .net_namespace = host_->path(),
                                         .rights = support::rights_of_unit("host-switch")});
}

void host_switch_lab::start_and_wait(std::vector<std::string> flags, std::optional<unsigned> limit) {
  start(std::move(flags), limit);
  ASSERT_TRUE(support::eventually(10s, [this] { return all(*vm_) == 200; })) << log();
}

int host_switch_lab::all(const support::place& from, const net::endpoint& at, std::string_view host) {
  const auto request =
      support::to_bytes({.target = "/services/forwarder/all", .headers = {fmt::format("Host: {}", host)}});
  return support::http_status(from, at, request).value_or(0);
}

int host_switch_lab::expose(const support::place& from, std::string_view local, std::string_view remote,
                            const std::vector<std::string>& headers, const net::endpoint& at) {
  const auto request = support::to_bytes({.method = "POST",
                                          .target = "/services/forwarder/expose",
                                          .headers = headers,
                                          .body = fmt::format(R"({{"local":"{}","remote":"{}"}})", local, remote)});
  return support::http_status(from, at, request).value_or(0);
}

std::string host_switch_lab::held() const {
  const auto request =
      support::to_bytes({.target = "/services/forwarder/all", .headers = {fmt::format("Host: {}", gateway)}});
  const auto answer = support::ask(*vm_, net::protocol::tcp, api, request);
  const auto end = answer ? answer->find("\r\n\r\n") : std::string::npos;
  return end == std::string::npos ? "no answer" : answer->substr(end + 4);
}

}  // namespace integration
