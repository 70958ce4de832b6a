// wsl_proxy: the program wsl-proxy. It listens where the messages say and relays to the same port of one address, the
// isolated namespace's end of the veth pair.
#pragma once

#include "net/address.hpp"
#include "portproxy/proxy_daemon.hpp"

namespace wslproxy {

class wsl_proxy final : public portproxy::proxy_daemon {
 public:
  wsl_proxy() : proxy_daemon("/run/wsl-proxy.sock", {}) {}

  [[nodiscard]] program::about what() const override;
  [[nodiscard]] std::string log_file() const override { return "/var/log/wsl-proxy.log"; }
  void declare(base::flag_set& flags) override;

 private:
  void handle(const portmapping::message& m, const portproxy::caller& from,
              portproxy::port_listeners& listeners) override;
  [[nodiscard]] std::string relays_to() const override { return "upstream=" + upstream_.to_string(); }

  net::address upstream_ = net::address::v4(192, 168, 143, 1);
};

}  // namespace wslproxy
