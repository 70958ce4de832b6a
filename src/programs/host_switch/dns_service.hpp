// dns_service: the DNS server at the gateway's address, as the control thread runs it: the pure server of
// netstack/dns, the host's resolver, and the sockets from the data plane. Owned by virtual_network.
//
// A client that does not read its answers loses its connection as soon as the socket's buffer is full; the buffer holds
// several of the longest answers. The names of a hosts file that can no longer be read stay as they were.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/condition.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/unique_fd.hpp"
#include "netstack/dns/server.hpp"
#include "os/acceptor.hpp"
#include "programs/host_switch/dns_upstream.hpp"

namespace host_switch {

struct dns_files {
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts = "/etc/hosts";
};

class dns_service {
 public:
  static constexpr std::size_t most_connections = 64;  // beyond it the oldest is closed

  // `datagrams`: the control thread's end of dns_port's pair. `domains` receives the host's search domains, at the
  // start and after each change.
  dns_service(const async::executor& where, netstack::dns::settings settings, netstack::dns::zones zones,
              dns_files files, base::unique_fd datagrams, std::function<void(const std::vector<std::string>&)> domains);

  // Each runs until cancelled.
  async::task<> serve_datagrams();
  async::task<> serve_streams(std::unique_ptr<os::acceptor> from);
  async::task<> watch_resolver();
  async::task<> watch_hosts();
  async::task<> expire_questions();

  [[nodiscard]] const netstack::dns::counters& counted() const { return server_.counted(); }

 private:
  using descriptor = async::asio::posix::stream_descriptor;
  void on_question(const netstack::dns::client& from, netstack::bytes_view bytes);
  void send(const netstack::dns::answer& a);
  async::task<> serve_stream(std::uint64_t id, std::shared_ptr<descriptor> stream, netstack::dns::client from);
  void read_hosts();
  void read_resolver();

  dns_files files_;
  std::function<void(const std::vector<std::string>&)> domains_;
  netstack::dns::server server_;
  dns_upstream upstream_;
  descriptor datagrams_;
  std::map<std::uint64_t, std::shared_ptr<descriptor>> streams_;  // by number, hence the oldest first
  std::uint64_t last_stream_ = 0;
  base::log::episode hosts_trouble_;
  async::condition asked_;  // a question is in progress and has a deadline
};

}  // namespace host_switch
