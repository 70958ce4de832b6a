#include "tests/soak/arena.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "base/text.hpp"
#include "tests/soak/shapes.hpp"
#include "tests/support/engine_programs.hpp"
#include "tests/support/eventually.hpp"

namespace soak {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds start_limit = 30s, engine_return_limit = 120s;
constexpr const char* disk_size = "size=1m,mode=700";

std::size_t index(part which) { return static_cast<std::size_t>(which); }

const char* program_of(part which) {
  return which == part::agent ? "rancher-desktop-guestagent" : to_string(which).data();
}

// An engine that was killed clears up after its containers first, for longer than a new one takes.
template <class Engine, class Ask>
void start_again(Engine& engine, Ask ask) {
  engine.launch();
  const auto answers = [&] {
    try {
      ask();
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  };
  if (support::eventually(engine_return_limit, answers)) return;
  engine.kill9();  // as systemd does with one that does not start
  engine.launch();
  if (!support::eventually(engine_return_limit, answers))
    throw std::runtime_error("an engine does not return:\n" + engine.log());
}

support::child_process hold(const support::netns& space) {
  return support::child_process({.argv = {"sleep", "infinity"}, .net_namespace = space.path()});
}

}  // namespace

small_disk::small_disk(fs::path at) : at_(std::move(at)) {
  fs::create_directories(at_);
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", at_.c_str(), "tmpfs", 0, disk_size) != 0)
    throw std::runtime_error("cannot mount a small disk");
}

small_disk::~small_disk() { ::umount2(at_.c_str(), MNT_DETACH); }

void small_disk::fill() const {
  const std::string block(4096, 'x');
  const base::unique_fd file(::open((at_ / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  while (::write(file.get(), block.data(), block.size()) > 0) {
  }
}

void small_disk::free() const {
  std::error_code ignored;
  fs::remove(at_ / "filler", ignored);
}

std::string arena::missing() {
  if (auto why = support::lab::missing(); !why.empty()) return why;
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "needs /dev/net/tun";
  if (!support::is_program("busybox")) return "busybox is not installed";
  for (const char* program : {"network-setup", "vm-switch"})
    if (!fs::exists(support::program_directory() / program)) return fmt::format("{} is not built", program);
  return {};
}

arena::arena(bool debug)
    : debug_(debug),
      disk_(directory_.path() / "state"),
      host_("host"),
      wsl_("wsl"),
      rd_("rd"),
      docker_(rd_, directory_.path() / "docker"),
      containerd_(rd_, directory_.path() / "containerd", support::iptables_variant::nft),
      kubernetes_(std::make_unique<support::fake_kubernetes>()) {
  host_.ip({"address", "add", lan.to_string() + "/32", "dev", "lo"});
  // dockerd would otherwise enable it and drop other engines' packets.
  rd_.run([] { std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1"; });
  // Clients there, the checks among them, would otherwise use ports that Docker chooses for a container.
  for (const auto* where : {&host_, &wsl_})
    where->run([] { std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "55000 60999"; });
  write_vm_programs();
  write_rules("rules:\n");
}

arena::~arena() {
  for (auto& one : processes_) one.kill9();
  kubernetes_->stop();
  struct stat space{};  // network-setup leaves its lock behind, named after its namespace
  std::error_code ignored;
  if (::stat(wsl_.path().c_str(), &space) == 0)
    fs::remove(fmt::format("/run/network-setup-{}.lock", space.st_ino), ignored);
}

// DHCP by the system's client; and the service whose namespace network-setup takes.
void arena::write_vm_programs() const {
  const auto write = [](const std::string& path, const std::string& text) {
    std::ofstream(path) << "#!/bin/sh\n" << text;
    fs::permissions(path, fs::perms::owner_all);
  };
  fs::create_directories(at("bin"));
  write(at("bin/udhcpc"), "exec busybox udhcpc \"$@\"\n");
  write(at("bin/systemctl"), fmt::format("cat {}\n", at("holder")));
  write(at("dhcp-script"),
        "case $1 in bound | renew)\n  ip address replace \"$ip/$mask\" dev \"$interface\"\n"
        "  ip route replace default via \"$router\" dev \"$interface\" ;;\nesac\n");
}

void arena::start_all() {
  namespace_holder_ = hold(rd_);
  std::ofstream(at("holder")) << namespace_holder_.pid() << "\n";
  for (const auto which : {part::host_switch, part::network_setup}) start(which);
  if (!support::eventually(start_limit, [this] { return has_network(); }))
    throw std::runtime_error("the VM has no network:\n" + support::read_text(log_of(part::network_setup)));
  docker_.start();  // imports the image, too
  containerd_.start();
  for (const auto which : {part::wsl_proxy, part::kubernetes_api}) start(which);
  std::ofstream(at("k3s.yaml")) << kubernetes_->kubeconfig();
  services_ = serve("services", servers_of_services());
  start(part::agent);
  if (!support::eventually(start_limit, [this] { return control({"status"}).exit_code == 0; }))
    throw std::runtime_error("the agent does not start:\n" + support::read_text(log_of(part::agent)));
}

bool arena::has_network() const {
  return support::http_get(rd_, {net::address::v4(192, 168, 127, 1), 80}, "/services/forwarder/all").has_value();
}

support::child_process arena::launch(const support::netns& where, part which, std::vector<std::string> flags,
                                     std::vector<std::string> environment) const {
  const auto* program = program_of(which);
  flags.insert(flags.begin(), support::program_directory() / program);
  if (debug_) flags.emplace_back("-debug");
  environment.push_back(fmt::format("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", at("bin")));
  return support::child_process({.argv = std::move(flags),
                                 .environment = std::move(environment),
                                 .log = log_of(which),
                                 .net_namespace = where.path(),
                                 .rights = support::rights_of_unit(program)});
}

void arena::start_agent() {
  const auto api = kubernetes_->url();
  const auto ignored = fmt::format("default,{}-{},{}-{},tcp:{}", node_port(0), node_port(service_slots - 1),
                                   balancer_base(0), balancer_base(service_slots) - 1, api.substr(api.rfind(':') + 1));
  processes_[index(part::agent)] =
      launch(rd_, part::agent,
             {"-adminInstall=true", "-docker=true", "-containerd=true", "-kubernetes=true", "-iptables=true",
              "-listeners=true", "-kubeconfig=" + at("k3s.yaml"), fmt::format("-k8sAPIPort={}", api_port),
              "-ignore-listeners=" + ignored, "-rules=" + at("rules.yaml"), "-wsl-proxy-socket=" + at("wsl-proxy.sock"),
              "-docker-socket=" + docker_.socket().string(), "-containerdSock=" + containerd_.socket().string(),
              "-status-socket=" + at("status.sock"), "-state-dir=" + disk_.path().string(),
              "-host-switch-url=http://192.168.127.1"});
}

void arena::start_network_setup() {
  processes_[index(part::network_setup)] =
      launch(wsl_, part::network_setup,
             {"-logfile=", "-vm-switch-path=" + (support::program_directory() / "vm-switch").string(),
              "-vm-switch-logfile=" + log_of(part::vm_switch).string(), "-connect=handshake://" + at("link"),
              "-namespace-service=engine.service", "-dhcp-script=" + at("dhcp-script"), "-pid-file=" + at("init.pid")},
             {"SYSTEMD_EXEC_PID=1"});
}

void arena::start(part which) {
  is_up_[index(which)] = true;
  switch (which) {
    case part::agent: return start_agent();
    case part::network_setup: return start_network_setup();
    case part::host_switch:
      processes_[index(which)] =
          launch(host_, which,
                 {"-listen=handshake://" + at("link"), "-control-socket=" + at("host-switch.sock"),
                  fmt::format("-port-forward={}={}", static_forward.local, static_forward.remote)});
      return;
    case part::wsl_proxy:
      processes_[index(which)] = launch(wsl_, which, {"-logfile=", "-socketFile=" + at("wsl-proxy.sock")});
      return;
    case part::dockerd: return start_again(docker_, [this] { docker_.docker({"version"}); });
    case part::containerd: return start_again(containerd_, [this] { containerd_.ctr("default", {"version"}); });
    case part::kubernetes_api: return rd_.run([this] { kubernetes_->start(); });
    case part::vm_switch: return;  // network-setup starts it
  }
}

void arena::kill9(part which) {
  if (which == part::vm_switch) return signal(which, SIGKILL);
  is_up_[index(which)] = false;
  switch (which) {
    case part::dockerd: return docker_.kill9();
    case part::containerd: return containerd_.kill9();
    case part::kubernetes_api: return kubernetes_->stop();
    default: processes_[index(which)].kill9();
  }
}

void arena::signal(part which, int number) {
  if (const auto process = pid(which); process > 0) ::kill(process, number);
}

std::optional<int> arena::stop(part which) {
  is_up_[index(which)] = false;
  return processes_[index(which)].stop();
}

// vm-switch is the child of network-setup that the log named last.
pid_t arena::pid(part which) const {
  if (which != part::vm_switch) return processes_[index(which)].pid();
  const auto text = support::read_text(log_of(part::network_setup));
  constexpr std::string_view words = "vm-switch started pid=";
  const auto found = text.rfind(words);
  if (found == std::string::npos) return -1;
  const auto rest = std::string_view(text).substr(found + words.size());
  const auto named = base::parse_number<pid_t>(rest.substr(0, rest.find_first_of(" \n"))).value_or(-1);
  const auto command = support::read_text(fmt::format("/proc/{}/comm", named));
  return base::trim(command) == "vm-switch" ? named : -1;
}

std::optional<int> arena::ended(part which) {
  auto& process = processes_[index(which)];
  const bool is_ours =
      which == part::agent || which == part::host_switch || which == part::wsl_proxy || which == part::network_setup;
  if (!is_ours || !is_up_[index(which)] || process.running()) return std::nullopt;
  return process.wait(1s);
}

bool arena::can_impair() const {
  const auto made = support::run_command(
      {.argv = {"tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"}, .net_namespace = rd_.path()});
  if (made.exit_code != 0) return false;
  support::run_command({.argv = {"tc", "qdisc", "del", "dev", "lo", "root"}, .net_namespace = rd_.path()});
  return true;
}

// An interface that a program has made again meanwhile is not impaired.
void arena::impair_link(bool impaired) const {
  for (const char* interface : {"eth0", "veth-rd-ns"}) {
    std::vector<std::string> argv{"tc", "qdisc", impaired ? "replace" : "del", "dev", interface, "root"};
    if (impaired) argv.insert(argv.end(), {"netem", "delay", "20ms", "10ms", "loss", "3%"});
    support::run_command({.argv = argv, .net_namespace = rd_.path()});
  }
}

// In one step, as a careful editor does.
void arena::write_rules(const std::string& yaml) const {
  std::ofstream(at("rules.new")) << yaml;
  fs::rename(at("rules.new"), at("rules.yaml"));
}

void arena::occupy(std::uint16_t port) {
  for (const auto* where : {&host_, &wsl_})
    foreign_servers_.push_back(support::open_socket(*where, net::protocol::tcp, {net::address::any_v4(), port}, true));
}

// In kube-proxy's place, at every port that a Service may have.
std::vector<std::string> arena::servers_of_services() const {
  std::vector<std::string> ports{fmt::format("tcp:{}-{}", node_port(0), node_port(service_slots - 1))};
  for (unsigned slot = 0; slot < service_slots; ++slot) {
    ports.push_back(fmt::format("tcp:{}", balancer_base(slot)));
    ports.push_back(fmt::format("udp:{}", balancer_base(slot) + 1));
  }
  return ports;
}

support::child_process arena::serve(const std::string& name, std::vector<std::string> ports) const {
  ports.insert(ports.begin(), GUESTAGENT_ECHO_SERVER);
  return support::child_process(
      {.argv = std::move(ports), .environment = {"ECHO_NAME=" + name}, .net_namespace = rd_.path()});
}

support::command_output arena::control(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), support::program_directory() / "guestagentctl");
  arguments.push_back("-socket=" + at("status.sock"));
  return support::run_command({.argv = std::move(arguments), .net_namespace = rd_.path()});
}

fs::path arena::log_of(part which) const { return at(std::string(to_string(which)) + ".log"); }

}  // namespace soak
