// name_server: a name server for tests. A resolv.conf names servers without a port, so it needs port 53 of an address,
// and with that a network namespace of its own.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "tests/support/socket_peer.hpp"

namespace support {

// A server at port 53 of one address, over UDP and TCP. It answers what `how` makes of each question; nothing: silence.
class name_server {
 public:
  using message = std::vector<std::uint8_t>;
  using maker = std::function<std::optional<message>(const message&)>;
  name_server(const net::address& ip, maker how)
      : udp_(bound_socket(SOCK_DGRAM, {ip, 53})), tcp_(bound_socket(SOCK_STREAM, {ip, 53})), how_(std::move(how)) {
    ::fcntl(tcp_.get(), F_SETFL, O_NONBLOCK);
  }

  // Answers what has come.
  void serve() {
    message got(4'096);
    net::socket_address from;
    const auto size = ::recvfrom(udp_.get(), got.data(), got.size(), MSG_DONTWAIT, from.get(), &from.size);
    if (size > 0) {
      got.resize(static_cast<std::size_t>(size));
      ++asked_by_udp;
      if (const auto made = how_(got)) ::sendto(udp_.get(), made->data(), made->size(), 0, from.get(), from.size);
    }
    if (!client_) client_.reset(::accept4(tcp_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client_) serve_client();
  }
  int asked_by_udp = 0, asked_by_tcp = 0;
  bool closes_streams = false;

 private:
  void serve_client() {
    message got(4'096);
    const auto size = ::recv(client_.get(), got.data(), got.size(), MSG_DONTWAIT);
    if (size == 0) client_.reset();
    if (size < 2) return;
    ++asked_by_tcp;
    if (closes_streams) return client_.reset();
    const auto made = how_(message(got.begin() + 2, got.begin() + size));
    if (!made) return;
    message framed{static_cast<std::uint8_t>(made->size() >> 8U), static_cast<std::uint8_t>(made->size())};
    framed.insert(framed.end(), made->begin(), made->end());
    ::send(client_.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
  }

  base::unique_fd udp_, tcp_, client_;
  maker how_;
};

}  // namespace support
