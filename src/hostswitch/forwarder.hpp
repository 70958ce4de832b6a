// forwarder: the forwards that host-switch holds, and the three calls of the forwarder API upon them. The identity of a
// forward is its protocol and its local address compared as text: ":80" and "0.0.0.0:80" are two, of which only one can
// listen. Answers are those of gvisor-tap-vsock, word for word: agents depend on them.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "hostswitch/kernel_network.hpp"
#include "hostswitch/request_codec.hpp"
#include "http/message.hpp"

namespace hostswitch {

class forwarder {
 public:
  // `network` must outlive it.
  explicit forwarder(kernel_network& network) : network_(network) {}

  // One request of the API; `caller` is the client's address.
  [[nodiscard]] http::response answer(const http::request& request, std::string_view caller);

  // What the calls do, also for static forwards. The error's message is the API's answer.
  base::result<> expose(const forward_request& wanted);
  base::result<> unexpose(const forward_request& which);
  [[nodiscard]] std::vector<forward_request> all() const;  // sorted by local, then protocol

 private:
  struct entry {
    net::endpoint listen;
    std::string remote;
  };
  [[nodiscard]] http::response answer_expose(const http::request& request, std::string_view caller);
  [[nodiscard]] http::response answer_unexpose(const http::request& request);

  kernel_network& network_;
  std::map<std::pair<std::string, std::string>, entry> forwards_;  // by local, protocol
};

}  // namespace hostswitch
