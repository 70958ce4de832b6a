#include "tests/integration/virtual_network_lab.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <utility>

#include "base/text.hpp"
#include "link/plain_frame.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/raw_request.hpp"

namespace integration {

using namespace std::chrono_literals;

namespace {

constexpr auto vm_mac = "5a:94:ef:e4:0c:ee";
constexpr std::size_t frames_a_turn = 64;
constexpr std::size_t room_of_frame = links::virtio_header_size + links::largest_frame(links::framing::qemu);
constexpr std::size_t buffer_size = megabyte + room_of_frame;
constexpr std::uint32_t seed_toward_host = 1, seed_toward_vm = 2;

links::tap_device open_tap() {
  auto made = links::tap_device::open("eth0");
  if (!made) throw std::runtime_error(made.error().message());
  return std::move(*made);
}

links::tap_device open_tap_in(const support::netns& vm) {
  const support::inside there(vm);
  return open_tap();
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

timespec until(std::chrono::steady_clock::time_point latest) {
  const auto left = std::clamp<std::chrono::nanoseconds>(latest - std::chrono::steady_clock::now(), 0ns, 20ms);
  return {.tv_sec = 0, .tv_nsec = left.count()};
}

}  // namespace

frame_carrier::frame_carrier(const support::netns& vm, std::string link_path, const carrier_options& options)
    : tap_(open_tap_in(vm)),
      path_(std::move(link_path)),
      asks_offload_(options.offload),
      toward_host_(options.toward_host, seed_toward_host),
      toward_vm_(options.toward_vm, seed_toward_vm),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(buffer_size)),
      thread_([this] { run(); }) {}

frame_carrier::~frame_carrier() {
  stopping_ = true;
  thread_.join();
}

void frame_carrier::run() {
  while (!stopping_) {
    auto link = paused_ ? base::unique_fd() : connect_to(path_);
    if (link)
      carry(std::move(link));
    else
      ::poll(nullptr, 0, 10);
  }
}

void frame_carrier::carry(base::unique_fd fd) {
  links::stream_link link(std::move(fd),
                          {.offload = asks_offload_ ? links::offload_role::vm : links::offload_role::none});
  bool good = static_cast<bool>(link.flush());
  while (good && !stopping_ && !paused_) {
    wait(link, std::min(toward_host_.due(), toward_vm_.due()));
    good = from_link(link) && from_tap(link) && deliver(link) && link.flush();
  }
  offload_ = false;
  static_cast<void>(tap_.set_offload(false));
}

void frame_carrier::wait(const links::stream_link& link, std::chrono::steady_clock::time_point latest) {
  const bool blocked = link.is_blocked();
  std::array<pollfd, 2> ready{{{link.fd(), static_cast<short>(POLLIN | (blocked ? POLLOUT : 0)), 0},
                               {tap_.fd(), static_cast<short>(blocked ? 0 : POLLIN), 0}}};
  const auto limit = until(latest);
  ::ppoll(ready.data(), ready.size(), &limit, nullptr);
}

bool frame_carrier::from_link(links::stream_link& link) {
  const auto got = link.read();
  if (!got) return false;
  if (link.takes_offload() != offload_) {
    offload_ = link.takes_offload();
    static_cast<void>(tap_.set_offload(offload_));
  }
  const auto now = std::chrono::steady_clock::now();
  for (const auto& one : link.frames()) {
    if (toward_vm_.is_none())
      static_cast<void>(tap_.write(one.header, one.frame));
    else
      toward_vm_.add(one.frame, now);
  }
  return true;
}

bool frame_carrier::from_tap(links::stream_link& link) {
  std::size_t used = 0;
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < frames_a_turn && buffer_size - used >= room_of_frame && !link.is_blocked(); ++i) {
    const auto got = tap_.read({buffer_.get() + used, room_of_frame});
    if (!got || got->size() < links::virtio_header_size) break;
    used += got->size();
    if (toward_host_.is_none() && !send(link, *got)) return false;
    if (!toward_host_.is_none()) toward_host_.add(got->subspan(links::virtio_header_size), now);
  }
  return static_cast<bool>(link.flush());
}

bool frame_carrier::send(links::stream_link& link, links::bytes_span with_header) {
  const auto header = with_header.first(links::virtio_header_size), frame = with_header.subspan(header.size());
  if (!link.takes_offload() && !links::make_plain(header, frame)) return true;
  const std::array<links::bytes_view, 1> parts{frame};
  return static_cast<bool>(link.send(header, parts));
}

// What a bad link has held back.
bool frame_carrier::deliver(links::stream_link& link) {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& one : toward_vm_.take(now)) static_cast<void>(tap_.write({}, one));
  if (link.is_blocked()) return true;
  for (const auto& one : toward_host_.take(now)) {
    const std::array<links::bytes_view, 1> parts{one};
    if (!link.send({}, parts)) return false;
  }
  return true;
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
  if (lan_) connect_vm({});
}

void virtual_network_lab::connect_vm(const carrier_options& options, unsigned mtu) {
  carrier_.reset();
  carrier_.emplace(*vm_, at("link.sock"), options);
  vm_->ip({"link", "set", "eth0", "address", vm_mac, "mtu", std::to_string(mtu), "up"});
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

std::uint64_t virtual_network_lab::metric(const std::string& name) const {
  const auto all =
      support::run_command({.argv = {"curl", "-s", "--unix-socket", at("control.sock"), "http://x/stats"}}).text;
  const auto found = all.find("\"" + name + "\":");
  if (found == std::string::npos) return 0;
  const auto begin = found + name.size() + 3;
  return base::parse_number<std::uint64_t>(std::string_view(all).substr(begin, all.find_first_of(",}", begin) - begin))
      .value_or(0);
}

tcp_pair virtual_network_lab::connect_out() {
  const auto listener = support::open_socket(*lan_, net::protocol::tcp, lan_server, true);
  return connect_by(listener.get(), *vm_, lan_server);
}

tcp_pair virtual_network_lab::connect_in() {
  EXPECT_EQ(expose("10.99.1.1:8080", "192.168.127.2:8080"), 200);
  return connect_exposed();
}

tcp_pair virtual_network_lab::connect_exposed() {
  const auto listener = support::open_socket(*vm_, net::protocol::tcp, {net::address::any_v4(), exposed_port}, true);
  return connect_by(listener.get(), *lan_, {host_address, exposed_port});
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
