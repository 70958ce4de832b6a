// wsl_proxy: the program wsl-proxy. It listens on the ports of the messages and relays to the same port of one
// address, the isolated namespace's end of the veth pair.
#pragma once

#include "net/address.hpp"
#include "programs/port_proxy/proxy_daemon.hpp"

namespace wsl_proxy {

class wsl_proxy final : public port_proxy::proxy_daemon {
 public:
  wsl_proxy() : proxy_daemon("/run/wsl-proxy.sock", {}) {}

  [[nodiscard]] program::about info() const override;
  [[nodiscard]] std::string log_file() const override { return "/var/log/wsl-proxy.log"; }
  void declare(program::flag_set& flags) override;

 private:
  void handle(const port_mapping::message& m, const port_proxy::caller& from,
              port_proxy::port_listeners& listeners) override;
  [[nodiscard]] std::string relays_to() const override { return "upstream=" + upstream_.to_string(); }

  net::address upstream_ = net::address::v4(192, 168, 143, 1);
};

}  // namespace wsl_proxy
