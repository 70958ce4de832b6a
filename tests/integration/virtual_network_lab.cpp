#include "tests/integration/virtual_network_lab.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "link/stream_link.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/raw_request.hpp"

namespace integration {

using namespace std::chrono_literals;

namespace {

constexpr auto vm_mac = "5a:94:ef:e4:0c:ee";
constexpr int frames_a_turn = 64;

base::unique_fd open_tap() {
  base::unique_fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strcpy(request.ifr_name, "eth0");
  if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) throw std::runtime_error("no tap");
  return fd;
}

base::unique_fd connect_to(const std::string& path) {
  base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path.c_str(), sizeof to.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return {};
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

}  // namespace

frame_carrier::frame_carrier(const support::netns& vm, std::string link_path)
    : tap_(vm.run([] { return open_tap(); })), path_(std::move(link_path)), thread_([this] { run(); }) {}

frame_carrier::~frame_carrier() {
  stopping_ = true;
  thread_.join();
}

void frame_carrier::run() {
  while (!stopping_) {
    auto link = paused_ ? base::unique_fd() : connect_to(path_);
    if (link) {
      ++connections_;
      carry(std::move(link));
    } else {
      ::poll(nullptr, 0, 10);
    }
  }
}

void frame_carrier::carry(base::unique_fd fd) {
  links::stream_link link(std::move(fd), {});
  std::array<std::array<std::uint8_t, 2048>, frames_a_turn> frames;
  while (!stopping_ && !paused_) {
    std::array<pollfd, 2> ready{{{link.fd(), POLLIN, 0}, {tap_.get(), POLLIN, 0}}};
    if (link.is_blocked()) ready = {{{link.fd(), POLLIN | POLLOUT, 0}, {tap_.get(), 0, 0}}};
    ::poll(ready.data(), ready.size(), 20);
    if ((ready[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      if (!link.read()) return;
      for (const auto& one : link.frames()) static_cast<void>(!::write(tap_.get(), one.frame.data(), one.frame.size()));
    }
    for (auto& frame : frames) {
      if (link.is_blocked()) break;
      const auto got = ::read(tap_.get(), frame.data(), frame.size());
      if (got <= 0) break;
      const std::array parts{netstack::bytes_view(frame.data(), static_cast<std::size_t>(got))};
      if (!link.send({}, parts)) return;
    }
    if (!link.flush()) return;
  }
}

void virtual_network_lab::make_places() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun";
  directory_.emplace();
  host_.emplace("host");
  vm_.emplace("vm");
  lan_.emplace("lan");
  support::connect({&*host_, "lan0", "10.99.1.1/24"}, {&*lan_, "eth0", "10.99.1.2/24"});
}

void virtual_network_lab::SetUp() {
  make_places();
  if (lan_) add_vm();
}

void virtual_network_lab::add_vm() {
  carrier_.emplace(*vm_, at("link.sock"));
  vm_->ip({"link", "set", "eth0", "address", vm_mac, "up"});
  vm_->ip({"address", "add", "192.168.127.2/24", "dev", "eth0"});
  vm_->ip({"route", "add", "default", "via", "192.168.127.1"});
}

void virtual_network_lab::TearDown() {
  if (host_switch_.running()) EXPECT_EQ(host_switch_.stop(), 0);
  if (HasFailure() && directory_) std::fputs(log().c_str(), stderr);
}

void virtual_network_lab::start(std::vector<std::string> flags) { start_by({}, flags); }

void virtual_network_lab::start_by(std::vector<std::string> argv, const std::vector<std::string>& flags) {
  for (const auto& word : {(support::program_directory() / "host-switch").string(), std::string("-debug"),
                           "-listen=unix://" + at("link.sock"), "-control-socket=" + at("control.sock")})
    argv.push_back(word);
  argv.insert(argv.end(), flags.begin(), flags.end());
  host_switch_.kill9();
  host_switch_ = support::child_process({.argv = argv, .log = at("host-switch.log"), .net_namespace = host_->path()});
}

bool virtual_network_lab::vm_is_connected() const {
  return support::http_get(*vm_, gateway_api, "/services/forwarder/all").has_value();
}

void virtual_network_lab::start_and_wait(std::vector<std::string> flags) {
  start(std::move(flags));
  ASSERT_TRUE(support::eventually(10s, [this] { return vm_is_connected(); })) << log();
}

int virtual_network_lab::expose(std::string_view local, std::string_view remote, std::string_view protocol) const {
  const auto request = support::to_bytes(
      {.method = "POST",
       .target = "/services/forwarder/expose",
       .headers = {"Host: gateway.rancher-desktop.internal"},
       .body = fmt::format(R"({{"local":"{}","remote":"{}","protocol":"{}"}})", local, remote, protocol)});
  return support::http_status(*vm_, gateway_api, request).value_or(0);
}

support::child_process virtual_network_lab::serve(const support::netns& where, std::vector<std::string> ports,
                                                  const std::string& name) const {
  ports.insert(ports.begin(), GUESTAGENT_ECHO_SERVER);
  return support::child_process({.argv = std::move(ports),
                                 .environment = {"ECHO_NAME=" + name},
                                 .log = at("echo.log"),
                                 .net_namespace = where.path()});
}

support::command_output virtual_network_lab::in_vm(std::vector<std::string> argv) const {
  return support::run_command({.argv = std::move(argv), .net_namespace = vm_->path()});
}

}  // namespace integration
