#include "tests/integration/datagram_server.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "net/protocol.hpp"
#include "tests/support/probe.hpp"

namespace integration {

datagram_server::datagram_server(const support::netns& where, const net::endpoint& at, reply answer)
    : fd_(support::open_socket(where, net::protocol::udp, at, true)),
      answer_(std::move(answer)),
      thread_([this] { run(); }) {}

datagram_server::~datagram_server() {
  stopping_ = true;
  thread_.join();
}

void datagram_server::run() {
  std::string buffer(70'000, '\0');
  while (!stopping_) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 50) <= 0) continue;
    net::socket_address from;
    const auto got = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
    if (got >= 0) answer_(fd_.get(), buffer.substr(0, static_cast<std::size_t>(got)), from);
  }
}

void echo(int fd, const std::string& datagram, const net::socket_address& from) {
  ::sendto(fd, datagram.data(), datagram.size(), 0, from.get(), from.size);
}

}  // namespace integration
