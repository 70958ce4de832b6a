#include "programs/host_switch/virtual_network.hpp"

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/link_url.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "netstack/bytes.hpp"
#include "netstack/dns/server.hpp"
#include "netstack/dns/zones.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/settings.hpp"
#include "os/acceptor.hpp"
#include "os/random.hpp"
#include "programs/host_switch/link_source.hpp"
#include "programs/host_switch/subnet.hpp"
#include "programs/host_switch/virtual_options.hpp"
#include "relay/descriptor_budget.hpp"
#include "translator/pcap_file.hpp"
#include "translator/plane.hpp"

namespace host_switch {
namespace {

namespace dns = netstack::dns;

constexpr std::uint16_t api_port = 80, dns_port = 53;
constexpr std::size_t udp_headers = 28;   // of IPv4 and UDP
constexpr std::uint32_t first_guest = 3;  // the lowest context id that a VM can have (vsock(7))

// The kernel has given random bytes at the start. If it refuses now, an id that others can guess would let them answer.
std::uint16_t random_id() {
  std::array<std::uint8_t, 2> id{};
  if (!os::fill_with_random(id)) std::abort();
  return netstack::load_16(id, 0);
}

// The address by which the VM reaches the host's 127.0.0.1.
std::optional<netstack::ipv4::address> host_alias(const netstack::stack_settings& stack) {
  for (const auto& one : stack.nat)
    if (one.host.is_loopback()) return one.inside;
  return std::nullopt;
}

dns::settings dns_settings(const virtual_options& options, const netstack::stack_settings& stack) {
  return {.host = host_alias(stack),
          .aaaa = options.dns_aaaa,
          .most_udp = stack.mtu - udp_headers,
          .limits = {},
          .random_id = random_id};
}

dns::zones dns_zones(const virtual_options& options, const netstack::stack_settings& stack) {
  dns::zones made(stack.gateway(), host_alias(stack));
  for (const auto& text : options.dns_zones) static_cast<void>(made.add(text));  // parse_dns_zone has checked it
  return made;
}

}  // namespace

base::result<virtual_network::dns_pair> virtual_network::make_pair() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return base::fail_errno("socketpair");
  return dns_pair{base::unique_fd(pair[0]), base::unique_fd(pair[1])};
}

virtual_network::virtual_network(const async::executor& where, const subnet& vm_network, const virtual_options& options,
                                 const translator::plane_options& plane, dns_pair pair)
    : api_{vm_network.gateway(), api_port},
      api_streams_(where),
      dns_streams_(where),
      plane_(plane, relay::descriptor_budget::of_process(), std::move(pair.plane)),
      dns_(where, dns_settings(options, plane.stack), dns_zones(options, plane.stack), {}, std::move(pair.control),
           [this](const std::vector<std::string>& domains) { plane_.set_search_domains(domains); }),
      pcap_(options.pcap) {
  const auto into = [](incoming_streams& streams) {
    return [&streams](base::unique_fd fd, const net::endpoint& client) { return streams.add(std::move(fd), client); };
  };
  plane_.add_service(api_port, into(api_streams_));
  plane_.add_service(dns_port, into(dns_streams_));
}

virtual_network::~virtual_network() = default;

base::result<> virtual_network::open_links(const virtual_options& options) {
  auto urls = options.listen;
  if (urls.empty()) urls.push_back({.kind = links::link_kind::vsock, .path = {}, .number = first_guest});
  for (const auto& url : urls) {
    auto opened = link_source::open(url, plane_);
    if (!opened) return std::unexpected(opened.error());
    links_.push_back(std::move(*opened));
  }
  return {};
}

base::result<std::unique_ptr<virtual_network>> virtual_network::open(const async::executor& where,
                                                                     const subnet& vm_network,
                                                                     const virtual_options& options) try {
  auto pair = make_pair();
  if (!pair) return std::unexpected(pair.error());
  auto plane = options.plane(vm_network);
  if (auto filled = os::fill_with_random(plane.stack.secret); !filled) return std::unexpected(filled.error());
  std::unique_ptr<virtual_network> made(new virtual_network(where, vm_network, options, plane, std::move(*pair)));
  if (auto opened = made->open_links(options); !opened) return std::unexpected(opened.error());
  if (!made->pcap_.empty()) {
    auto file = translator::pcap_file::create(made->pcap_);
    if (!file) return std::unexpected(file.error());
    made->plane_.record(std::move(*file));
  }
  return made;
} catch (const std::system_error& e) {
  return base::fail(e.code(), "data plane");
}

base::result<std::unique_ptr<os::acceptor>> virtual_network::listen_for_api(const async::executor&) {
  base::log::info("api", "serving api={} in the virtual network", net::to_string(api_));
  return api_streams_.acceptor();
}

async::task<> virtual_network::api_moves() { co_await async::sleep_until(async::clock::time_point::max()); }

async::task<> virtual_network::api_may_return() { co_await async::yield(); }

base::result<> virtual_network::forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) {
  return plane_.expose(protocol, host, {netstack::ipv4::from_net(vm.ip), vm.port});
}

void virtual_network::stop(net::protocol protocol, const net::endpoint& host) { plane_.stop(protocol, host); }

void virtual_network::start(async::task_group& tasks) {
  tasks.spawn("dns datagrams", dns_.serve_datagrams());
  tasks.spawn("dns connections", dns_.serve_streams(dns_streams_.acceptor()));
  tasks.spawn("resolver", dns_.watch_resolver());
  tasks.spawn("hosts file", dns_.watch_hosts());
  tasks.spawn("dns deadlines", dns_.expire_questions());
  for (auto& one : links_) tasks.spawn(one.name(), one.serve());
}

void virtual_network::toggle_recording() {
  if (pcap_.empty()) return base::log::info("pcap", "no file: see -pcap");
  if (plane_.is_recording()) {
    plane_.record(std::nullopt);
    return base::log::info("pcap", "recording ended file={}", pcap_);
  }
  auto file = translator::pcap_file::create(pcap_);
  if (!file) return base::log::warn("pcap", "cannot record reason=\"{}\"", file.error().message());
  plane_.record(std::move(*file));
  base::log::info("pcap", "recording file={}", pcap_);
}

std::string virtual_network::listens() const {
  std::string all;
  for (const auto& one : links_) all += (all.empty() ? "" : ",") + one.name();
  return all;
}

}  // namespace host_switch
