#include "tests/integration/vm_life_lab.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "os/namespaces.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/probe.hpp"

namespace integration {

using namespace std::chrono_literals;

namespace {

void write_program(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

base::unique_fd listen_here(const net::endpoint& at) {
  base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  const auto address = net::to_sockaddr(at);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const bool done = ::bind(fd.get(), address.get(), address.size) == 0 && ::listen(fd.get(), 128) == 0;
  return done ? std::move(fd) : base::unique_fd();
}

base::unique_fd dial_here(const net::endpoint& to) {
  base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_blocking(fd.get());
  const auto address = net::to_sockaddr(to);
  return ::connect(fd.get(), address.get(), address.size) == 0 ? std::move(fd) : base::unique_fd();
}

}  // namespace

void vm_life_lab::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun";
  directory_.emplace();
  vm_.emplace("vm");
  host_.emplace("host");
  write_programs();
}

void vm_life_lab::TearDown() {
  if (!directory_) return;
  if (setup_.running()) EXPECT_EQ(setup_.stop(), 0);
  if (host_switch_.running()) EXPECT_EQ(host_switch_.stop(), 0);
  kill_vm();
  if (HasFailure()) std::fputs(logs().c_str(), stderr);
}

// What a DHCP client would do; and what runs in the engine's namespace.
void vm_life_lab::write_programs() const {
  std::filesystem::create_directory(at("bin"));
  write_program(at("bin/udhcpc"),
                "#!/bin/sh\nip address replace 192.168.127.2/24 dev eth0\n"
                "ip route replace default via 192.168.127.1\nexec sleep 1000\n");
  const auto agent = support::program_directory() / "rancher-desktop-guestagent";
  write_program(at("init"),
                fmt::format("#!/bin/sh\n{} -adminInstall=true -kubernetes=false -docker=true -docker-socket={} "
                            "-containerd=false "
                            "-iptables=false -listeners=true -debug=true -wsl-proxy-socket={} -status-socket={} "
                            "-state-dir={} -host-switch-url=http://192.168.127.1 >>{} 2>&1 &\nexec {} tcp:{}\n",
                            agent.string(), at("docker.sock"), at("wsl-proxy.sock"), at("status.sock"), at("state"),
                            at("agent.log"), GUESTAGENT_ECHO_SERVER, served_port));
}

std::string vm_life_lab::logs() const {
  return support::read_text(at("setup.log")) + support::read_text(at("switch.log")) + support::read_text(at("output")) +
         support::read_text(at("host-switch.log")) + support::read_text(at("agent.log"));
}

void vm_life_lab::start_host_switch() {
  host_switch_ = support::child_process(
      {.argv = {support::program_directory() / "host-switch", "-debug", "-listen=handshake://" + at("link"),
                fmt::format("-port-forward=127.0.0.1:{}=192.168.127.2:{}", static_port, served_port),
                fmt::format("-port-forward=127.0.0.1:{0}=192.168.127.2:{0}", test_port)},
       .log = at("host-switch.log"),
       .net_namespace = host_->path()});
}

void vm_life_lab::start_setup() {
  setup_ = support::child_process(
      {.argv = {support::program_directory() / "network-setup", "-logfile", at("setup.log"), "-vm-switch-logfile",
                at("switch.log"), "-vm-switch-path", support::program_directory() / "vm-switch", "-connect",
                "handshake://" + at("link"), "-pid-file", at("pid"), "-unshare-arg", at("init")},
       .environment = {fmt::format("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", at("bin"))},
       .log = at("output"),
       .net_namespace = vm_->path()});
}

pid_t vm_life_lab::init() const {
  return base::parse_number<pid_t>(base::trim(support::read_text(at("pid")))).value_or(-1);
}

pid_t vm_life_lab::switch_pid() const {
  const auto text = support::read_text(at("setup.log"));
  const std::string_view words = "vm-switch started pid=";
  const auto found = text.rfind(words);
  if (found == std::string::npos) return -1;
  const auto rest = std::string_view(text).substr(found + words.size());
  return base::parse_number<pid_t>(rest.substr(0, rest.find('\n'))).value_or(-1);
}

// unshare's child is the first process of a pid namespace: all others in it end with it.
void vm_life_lab::kill_vm() {
  setup_.kill9();  // vm-switch goes with it
  const auto unshare = init();
  if (unshare <= 0) return;
  const auto children = support::read_text(fmt::format("/proc/{0}/task/{0}/children", unshare));
  for (const auto word : base::split(base::trim(children), ' '))
    if (const auto child = base::parse_number<pid_t>(word)) ::kill(*child, SIGKILL);
  std::filesystem::remove(at("pid"));
}

bool vm_life_lab::is_answered(std::uint16_t port) const {
  return support::ask(*host_, net::protocol::tcp, {net::address::loopback_v4(), port}, "hello\n", 500ms).has_value();
}

bool vm_life_lab::in_engine(const std::function<void()>& work) const {
  const auto space = os::net_namespace_of(init());
  return space && os::in_net_namespace(space->get(), [&]() -> base::result<> {
                    work();
                    return {};
                  }).has_value();
}

std::vector<tcp_pair> vm_life_lab::connect_both_ways(int each_way) const {
  constexpr std::uint16_t host_port = 5000;
  base::unique_fd in, out = host_->run([&] { return listen_here({net::address::loopback_v4(), host_port}); });
  if (!in_engine([&] { in = listen_here({net::address::any_v4(), test_port}); }) || !in || !out) return {};
  std::vector<tcp_pair> made(2 * static_cast<std::size_t>(each_way));
  for (std::size_t i = 0; i < made.size(); ++i) {
    std::thread accepting([&] { made[i].server = accept_from((i % 2 == 0 ? out : in).get()); });
    if (i % 2 == 0)
      static_cast<void>(in_engine([&] { made[i].client = dial_here({host_alias, host_port}); }));
    else
      made[i].client = dial(*host_, {net::address::loopback_v4(), test_port});
    accepting.join();
    if (!made[i]) return {};
  }
  return made;
}

}  // namespace integration
