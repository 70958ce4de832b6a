#include "tests/support/probe.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/text.hpp"
#include "tests/support/eventually.hpp"

namespace support {
namespace {

int socket_type(net::protocol protocol) { return protocol == net::protocol::tcp ? SOCK_STREAM : SOCK_DGRAM; }

bool ready(int fd, short events, clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  pollfd one{.fd = fd, .events = events, .revents = 0};
  return left > 0 && ::poll(&one, 1, static_cast<int>(left)) > 0;
}

// The errno of connecting; 0 when connected.
int connect_by(int fd, const net::endpoint& to, clock::time_point deadline) {
  const auto address = net::to_sockaddr(to);
  if (::connect(fd, address.get(), address.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!ready(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
  return failure;
}

base::unique_fd new_socket(net::protocol protocol, const net::endpoint& for_whom) {
  return base::unique_fd(
      ::socket(for_whom.ip.is_v4() ? AF_INET : AF_INET6, socket_type(protocol) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

std::optional<std::string> receive(int fd, bool until_end, clock::time_point deadline) {
  std::string all;
  std::vector<char> buffer(65'536);
  while (ready(fd, POLLIN, deadline)) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0) return std::nullopt;
    all.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || !until_end) return all;
  }
  return std::nullopt;
}

std::optional<std::string> ask_here(net::protocol protocol, const net::endpoint& to, std::string_view request,
                                    clock::time_point deadline) {
  const auto fd = new_socket(protocol, to);
  if (!fd || connect_by(fd.get(), to, deadline) != 0) return std::nullopt;
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != std::ssize(request)) return std::nullopt;
  const bool tcp = protocol == net::protocol::tcp;
  if (tcp) ::shutdown(fd.get(), SHUT_WR);
  return receive(fd.get(), tcp, deadline);
}

int hex_digit(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

// "0100007F:1F90": words of the address in the machine's byte order, then the port.
std::optional<net::endpoint> parse_proc_address(std::string_view text) {
  const auto parts = base::split(text, ':');
  std::array<std::uint8_t, 16> bytes{};
  if (parts.size() != 2 || (parts[0].size() != 8 && parts[0].size() != 32) || parts[1].size() != 4) return std::nullopt;
  for (std::size_t i = 0; i < parts[0].size() / 2; ++i)
    bytes[i / 4 * 4 + 3 - i % 4] =
        static_cast<std::uint8_t>(hex_digit(parts[0][2 * i]) * 16 + hex_digit(parts[0][2 * i + 1]));
  unsigned port = 0;
  for (const char c : parts[1]) port = port * 16 + static_cast<unsigned>(hex_digit(c));
  const auto ip = parts[0].size() == 8 ? net::address::v4(bytes.data()) : net::address::v6(bytes.data());
  return net::endpoint{ip.is_unspecified() ? net::address::any_v4() : ip, static_cast<std::uint16_t>(port)};
}

void read_table(const char* table, net::protocol protocol, std::string_view state, std::set<listening_socket>& into) {
  std::ifstream file(fmt::format("/proc/thread-self/net/{}", table));
  std::string line, number, local, remote, st;
  for (std::getline(file, line); std::getline(file, line);) {
    std::istringstream(line) >> number >> local >> remote >> st;
    const auto at = parse_proc_address(local);
    if (at && st == state) into.insert({protocol, *at});
  }
}

}  // namespace

std::optional<std::string> ask(const place& from, net::protocol protocol, const net::endpoint& to,
                               std::string_view request, std::chrono::milliseconds limit) {
  return from.run([&] { return ask_here(protocol, to, request, clock::now() + limit); });
}

std::optional<std::string> http_get(const place& from, const net::endpoint& to, std::string_view path,
                                    std::chrono::milliseconds limit) {
  const auto request = fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, net::to_string(to));
  const auto answer = ask(from, net::protocol::tcp, to, request, limit);
  const auto head_end = answer ? answer->find("\r\n\r\n") : std::string::npos;
  if (head_end == std::string::npos || !answer->starts_with("HTTP/1.") || answer->substr(8, 5) != " 200 ")
    return std::nullopt;
  return answer->substr(head_end + 4);
}

std::optional<int> http_status(const place& from, const net::endpoint& to, std::string_view request,
                               std::chrono::milliseconds limit) {
  const auto answer = ask(from, net::protocol::tcp, to, request, limit);
  if (!answer || !answer->starts_with("HTTP/1.") || answer->size() < 12) return std::nullopt;
  return base::parse_number<int>(std::string_view(*answer).substr(9, 3));
}

bool refused(const place& from, const net::endpoint& to) {
  return from.run([&] {
    const auto fd = new_socket(net::protocol::tcp, to);
    return connect_by(fd.get(), to, clock::now() + probe_limit) == ECONNREFUSED;
  });
}

base::unique_fd open_socket(const place& in, net::protocol protocol, const net::endpoint& at, bool listen) {
  return in.run([&] {
    auto fd = new_socket(protocol, at);
    const auto address = net::to_sockaddr(at);
    if (!listen) return connect_by(fd.get(), at, clock::now() + probe_limit) == 0 ? std::move(fd) : base::unique_fd();
    const int one = 1;  // connections of a listener before it may linger
    if (protocol == net::protocol::tcp) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (::bind(fd.get(), address.get(), address.size) != 0) return base::unique_fd();
    return protocol == net::protocol::udp || ::listen(fd.get(), 16) == 0 ? std::move(fd) : base::unique_fd();
  });
}

std::optional<std::string> receive_once(int fd, std::chrono::milliseconds limit) {
  return receive(fd, false, clock::now() + limit);
}

std::set<listening_socket> listening_sockets(const netns& in) {
  return in.run([] {
    std::set<listening_socket> all;
    for (const char* table : {"tcp", "tcp6"}) read_table(table, net::protocol::tcp, "0A", all);
    for (const char* table : {"udp", "udp6"}) read_table(table, net::protocol::udp, "07", all);
    return all;
  });
}

}  // namespace support
