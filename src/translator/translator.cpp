#include "translator/translator.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <future>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/mac_table.hpp"
#include "net/endpoint.hpp"
#include "net/listen_key.hpp"
#include "net/protocol.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/statistics.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_status.hpp"
#include "relay/sockets.hpp"
#include "translator/link_port.hpp"
#include "translator/link_ports.hpp"
#include "translator/pcap_file.hpp"
#include "translator/plane.hpp"
#include "translator/tcp_flows.hpp"

namespace translator {

translator::translator(plane_options options, relay::descriptor_budget& budget, base::unique_fd dns) : budget_(budget) {
  loop_.call([&] {
    plane_.emplace(loop_, count_, budget_, std::move(options), std::move(dns));
    loop_.after_each_turn([this] { return plane_->finish_turn(); });
  });
}

translator::~translator() {
  loop_.call([this] {
    loop_.after_each_turn({});
    loop_.stop_ticking();
    plane_.reset();
  });
}

// Not with call(): the sockets are edge-triggered (os/event_loop.hpp).
void translator::run(const std::function<void()>& command) {
  std::promise<void> done;
  loop_.post([&] {
    command();
    done.set_value();
  });
  done.get_future().wait();
}

void translator::add_service(std::uint16_t port, service to) {
  run([&] { plane_->add_service(port, std::move(to)); });
}

base::result<> translator::expose(net::protocol protocol, const net::endpoint& host, const netstack::endpoint& vm) {
  const net::listen_key key{protocol, host.ip, host.port};
  if (leases_.contains(key)) return base::fail(std::errc::file_exists, "");
  auto lease = budget_.take(relay::descriptor_use::listener);
  if (!lease) return base::fail(std::errc::too_many_files_open, "");
  auto fd = relay::open_listener(
      {.protocol = protocol, .listen = host, .target = {}, .dual_stack = host.ip.is_unspecified()});
  if (!fd) return std::unexpected(fd.error());
  base::result<> done;
  run([&] { done = plane_->expose(key, std::move(*fd), vm); });
  if (done) leases_[key] = std::move(lease);
  return done;
}

void translator::stop(net::protocol protocol, const net::endpoint& host) {
  const net::listen_key key{protocol, host.ip, host.port};
  run([&] { plane_->stop(key); });
  leases_.erase(key);
}

base::result<> translator::add_link(any_link link, silence of_peer, std::function<void(base::error)> over) {
  base::result<> done;
  run([&] { done = plane_->add_link(std::move(link), of_peer, std::move(over)); });
  return done;
}

void translator::record(std::optional<pcap_file> to) {
  run([&] { plane_->record(std::move(to)); });
}

bool translator::is_recording() {
  bool made = false;
  run([&] { made = plane_->is_recording(); });
  return made;
}

void translator::set_search_domains(const std::vector<std::string>& domains) {
  run([&] { plane_->set_search_domains(domains); });
}

netstack::statistics translator::statistics() {
  netstack::statistics made;
  run([&] { made = plane_->stack().counters(); });
  return made;
}

std::vector<netstack::lease> translator::leases() {
  std::vector<netstack::lease> made;
  run([&] { made = plane_->stack().leases(); });
  return made;
}

std::vector<links::mac_table::station> translator::stations() {
  std::vector<links::mac_table::station> made;
  run([&] { made = plane_->stations(); });
  return made;
}

std::vector<relay::port_status> translator::ports() {
  std::vector<relay::port_status> made;
  run([&] { made = plane_->ports(); });
  return made;
}

std::vector<link_status> translator::links() {
  std::vector<link_status> made;
  run([&] { made = plane_->links(); });
  return made;
}

}  // namespace translator
