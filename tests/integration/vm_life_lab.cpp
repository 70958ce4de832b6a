#include "tests/integration/vm_life_lab.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cstdio>
#include <filesystem>
#include <thread>
#include <utility>

#include "os/namespaces.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/probe.hpp"

namespace integration {

using namespace std::chrono_literals;

namespace {

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
  network_setup_lab::SetUp();
  if (IsSkipped()) return;
  host_.emplace("host");
  write_programs();
}

void vm_life_lab::TearDown() {
  network_setup_lab::TearDown();
  if (host_switch_.running()) EXPECT_EQ(host_switch_.stop(), 0);
  if (directory_ && HasFailure())
    std::fputs((support::read_text(at("host-switch.log")) + support::read_text(at("agent.log"))).c_str(), stderr);
}

// What a DHCP client would do; and what runs in the engine's namespace.
void vm_life_lab::write_programs() const {
  write_program("bin/udhcpc",
                "ip address replace 192.168.127.2/24 dev eth0\nip route replace default via 192.168.127.1\n"
                "exec sleep 1000\n");
  const auto agent = support::program_directory() / "rancher-desktop-guestagent";
  write_program("init",
                fmt::format("{} -adminInstall=true -kubernetes=false -docker=true -docker-socket={} -containerd=false "
                            "-iptables=false -listeners=true -debug=true -wsl-proxy-socket={} -status-socket={} "
                            "-state-dir={} -host-switch-url=http://192.168.127.1 >>{} 2>&1 &\nexec {} tcp:{}\n",
                            agent.string(), at("docker.sock"), at("wsl-proxy.sock"), at("status.sock"), at("state"),
                            at("agent.log"), GUESTAGENT_ECHO_SERVER, served_port));
}

void vm_life_lab::start_host_switch() {
  host_switch_ = support::child_process(
      {.argv = {support::program_directory() / "host-switch", "-debug", "-listen=handshake://" + at("link"),
                fmt::format("-port-forward=127.0.0.1:{}=192.168.127.2:{}", static_port, served_port),
                fmt::format("-port-forward=127.0.0.1:{0}=192.168.127.2:{0}", test_port)},
       .log = at("host-switch.log"),
       .net_namespace = host_->path()});
}

void vm_life_lab::kill_vm() {
  setup_.kill9();  // vm-switch goes with it
  end_init();
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
