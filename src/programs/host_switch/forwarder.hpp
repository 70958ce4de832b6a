// forwarder: the forwards that host-switch holds, and the three calls of the forwarder API. A forward is identified by
// its protocol and its local address as text: ":80" and "0.0.0.0:80" are two forwards, of which only one can listen.
// The answers are those of gvisor-tap-vsock, word for word: agents depend on them. docs/forwarder-api.md lists what
// gvisor-tap-vsock allows and host-switch refuses.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/episode.hpp"
#include "http/message.hpp"
#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/network.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace host_switch {

class forwarder {
 public:
  // Holds at most `most` forwards in addition to static ones. `way` and `policy` must outlive it.
  forwarder(network& way, const access_policy& policy, std::size_t most)
      : network_(way), policy_(policy), most_(most) {}

  // Handles one request of the API; `caller` is the client's address.
  [[nodiscard]] http::response answer(const http::request& request, std::string_view caller);
  // Handles one request of the host's owner, by a socket that no browser and no VM can reach: its head is not checked,
  // and it may name any VM.
  [[nodiscard]] http::response answer_owner(const http::request& request);

  // The calls. The error's message is the API's answer.
  // `caller`: the client's address; nullopt for the owner of this host.
  using caller_address = std::optional<net::address>;
  base::result<> expose(const forwarder_api::forward& wanted, const caller_address& caller = {});
  base::result<> unexpose(const forwarder_api::forward& which, const caller_address& caller = {});
  // Adds a forward from the command line: to any address, and outside the limit. The error has the kernel's code.
  base::result<> expose_static(const forwarder_api::forward& wanted);
  [[nodiscard]] std::vector<forwarder_api::forward> all() const;  // sorted by local, then protocol

 private:
  struct entry {
    net::endpoint listen;
    std::string remote;
    bool is_static = false;
  };
  base::result<> open(net::protocol protocol, const forwarder_api::forward& wanted, const net::endpoint& listen,
                      const net::endpoint& remote);
  [[nodiscard]] std::optional<http::response> refuse(const http::request& request, std::string_view caller);
  [[nodiscard]] http::response route(const http::request& request, const caller_address& caller);
  [[nodiscard]] http::response answer_expose(const http::request& request, const caller_address& caller);
  [[nodiscard]] http::response answer_unexpose(const http::request& request, const caller_address& caller);

  network& network_;
  const access_policy& policy_;
  std::size_t most_;
  std::size_t static_forwards_ = 0;
  base::log::throttle refusals_, failures_;
  std::map<std::pair<std::string, std::string>, entry> forwards_;  // by local, protocol
};

}  // namespace host_switch
