// translator: the control thread's handle to the data plane. It starts the thread, and passes ports, links and
// questions to it. Owned by host-switch's virtual_network; one thread uses it.
//
// A call returns when the loop's thread has completed it, after at most one turn. The data plane never waits for the
// control thread.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_status.hpp"
#include "translator/plane.hpp"

namespace translator {

class translator {
 public:
  // `dns`: one end of a pair, see dns_port. Throws std::system_error if it lacks descriptors or threads.
  translator(plane_options options, relay::descriptor_budget& budget, base::unique_fd dns);
  translator(const translator&) = delete;
  translator& operator=(const translator&) = delete;
  ~translator();  // closes everything: ports, links, sockets

  // Passes connections to this port of the gateway's address to `to`, which is called on the loop's thread.
  void add_service(std::uint16_t port, service to);

  // Listens at `host` and relays to `vm`; a wildcard covers both families. Errors: file_exists if `host` is exposed;
  // otherwise the kernel's code, without context. too_many_files_open also means that listeners have used up their
  // share of the descriptors.
  base::result<> expose(net::protocol protocol, const net::endpoint& host, const netstack::endpoint& vm);
  // The socket is closed when it returns. TCP connections continue, UDP flows end.
  void stop(net::protocol protocol, const net::endpoint& host);

  // `over` is called once on the loop's thread when the link ends, unless this object is destroyed.
  base::result<> add_link(any_link link, silence of_peer, std::function<void(base::error)> over);
  base::result<> add_link(any_link link, std::function<void(base::error)> over) {
    return add_link(std::move(link), silence::keeps_the_place, std::move(over));
  }

  // Records the frames of all links; nullopt ends the recording.
  void record(std::optional<pcap_file> to);
  [[nodiscard]] bool is_recording();  // not after a write has failed
  void set_search_domains(const std::vector<std::string>& domains);

  [[nodiscard]] netstack::statistics statistics();
  [[nodiscard]] std::vector<netstack::lease> leases();
  [[nodiscard]] std::vector<link_status> links();
  [[nodiscard]] std::vector<relay::port_status> ports();
  [[nodiscard]] std::vector<links::mac_table::station> stations();
  [[nodiscard]] const counters& count() const { return count_; }

 private:
  void run(const std::function<void()>& command);

  relay::descriptor_budget& budget_;
  counters count_;
  std::map<net::listen_key, relay::descriptor_lease> leases_;
  os::event_loop loop_;
  std::optional<plane> plane_;
};

}  // namespace translator
