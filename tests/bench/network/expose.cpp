#include "tests/bench/network/expose.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "net/stream_address.hpp"
#include "tests/bench/load/load_socket.hpp"
#include "tests/bench/network/arena.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/probe.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

struct exposed_port {
  const char* protocol;
  std::uint16_t port;
};

std::vector<exposed_port> exposed_ports() {
  std::vector<exposed_port> all;
  for (const auto port : {sink_port, answer_port})
    for (const auto first : {vm_first, container_first})
      all.push_back({"tcp", static_cast<std::uint16_t>(first + port)});
  for (std::uint16_t port = hold_port; port < hold_port + hold_ports; ++port)
    all.push_back({"tcp", static_cast<std::uint16_t>(vm_first + port)});
  for (const auto port : {echo_port, count_port}) all.push_back({"udp", static_cast<std::uint16_t>(vm_first + port)});
  return all;
}

// One request and its answer on a UNIX socket; empty if it does not listen yet.
std::string ask_unix(const std::filesystem::path& socket, const std::string& request) {
  const base::unique_fd fd(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  const auto at = net::to_sockaddr(net::unix_path{socket});
  if (::connect(fd.get(), at.get(), at.size) != 0) return {};
  check(static_cast<int>(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL)), "send");
  ::shutdown(fd.get(), SHUT_WR);
  std::string answer;
  std::array<char, 4096> part{};
  while (true) {
    const auto got = ::recv(fd.get(), part.data(), part.size(), 0);
    if (got <= 0) return answer;
    answer.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

void expose_by_gateway(const support::netns& vm, const net::address& gateway, const net::address& vm_address) {
  for (const auto& one : exposed_ports()) {
    const auto body = fmt::format(R"({{"local":"127.0.0.1:{0}","remote":"{1}:{0}","protocol":"{2}"}})", one.port,
                                  vm_address.to_string(), one.protocol);
    const auto request = fmt::format(
        "POST /services/forwarder/expose HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: "
        "close\r\nContent-Length: {}\r\n\r\n{}",
        gateway.to_string(), body.size(), body);
    std::optional<int> status;
    const bool answered = support::eventually(
        20s, [&] { return (status = support::http_status(vm, {gateway, 80}, request)).has_value(); });
    if (!answered || *status != 200)
      throw std::runtime_error(fmt::format("cannot expose {} port {}: {}", one.protocol, one.port,
                                           answered ? fmt::format("status {}", *status) : "no answer"));
  }
}

void expose_by_slirp(const std::filesystem::path& socket, const net::address& vm_address) {
  for (const auto& one : exposed_ports()) {
    const auto request = fmt::format(
        R"({{"execute":"add_hostfwd","arguments":{{"proto":"{}","host_addr":"127.0.0.1","host_port":{},"guest_addr":"{}","guest_port":{}}}}})",
        one.protocol, one.port, vm_address.to_string(), one.port);
    std::string answer;
    if (!support::eventually(20s, [&] { return !(answer = ask_unix(socket, request)).empty(); }) ||
        answer.find("error") != std::string::npos)
      throw std::runtime_error(fmt::format("cannot expose {} port {}: {}", one.protocol, one.port, answer));
  }
}

}  // namespace bench
