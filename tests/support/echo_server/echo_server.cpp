// echo-server: what runs in the test containers, as their only file. `echo-server tcp:80 tcp:1000-1999 udp:53` listens
// on each port, of every address of both families; `tcp:127.0.0.1/80` on one address; `tcp6:80` of IPv6 alone;
// `tcpr:80` beside others that do the same (SO_REUSEPORT). Every answer begins with the host's name (the container's
// short id, or what --hostname or ECHO_NAME says), so that a test sees who answered. TCP: one line or request of HTTP
// is read and answered, then the connection ends. UDP: "<name> " and the datagram. With ECHO_CLIENT in the environment
// the client's address follows the name. `echo-server end` ends the container from within; without a port it ends at
// once. `echo-server ask 10.0.0.1 80 TEXT` sends a text over TCP and prints the answer, or why there is none. Linked
// statically; ends on SIGTERM.
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::string host_name() {
  if (const char* given = std::getenv("ECHO_NAME"); given != nullptr) return given;
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// The name; with ECHO_CLIENT, the client's address behind it.
std::string introduction(const sockaddr_storage& client) {
  if (std::getenv("ECHO_CLIENT") == nullptr) return host_name();
  char text[INET6_ADDRSTRLEN] = {};
  if (client.ss_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(client).sin6_addr, text, sizeof text);
  else
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(client).sin_addr, text, sizeof text);
  const std::string address(text), mapped = "::ffff:";
  return host_name() + " " + (address.starts_with(mapped) ? address.substr(mapped.size()) : address);
}

struct server {
  bool tcp = true, v6_only = false, reuse_port = false;
  std::string address;  // empty: every one
};

int bind_to(int fd, const std::string& address, int port) {
  sockaddr_in6 at{};
  sockaddr_in v4{};
  at.sin6_family = AF_INET6;
  v4.sin_family = AF_INET;
  at.sin6_port = v4.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1)
    return ::bind(fd, reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  if (!address.empty()) ::inet_pton(AF_INET6, address.c_str(), &at.sin6_addr);
  return ::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at);
}

int listen_on(const server& s, int port) {
  const bool v4 = s.address.find('.') != std::string::npos;
  const int fd = ::socket(v4 ? AF_INET : AF_INET6, s.tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
  const int one = 1, only = s.v6_only ? 1 : 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (s.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (!v4) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  if (bind_to(fd, s.address, port) != 0 || (s.tcp && ::listen(fd, 128) != 0)) {
    std::perror("echo-server");
    std::exit(1);
  }
  return fd;
}

void serve_tcp(int listener) {
  sockaddr_storage client{};
  socklen_t size = sizeof client;
  const int fd = ::accept(listener, reinterpret_cast<sockaddr*>(&client), &size);
  if (fd < 0 || ::fork() != 0) {
    ::close(fd);
    return;
  }
  char request[4096];
  const auto got = ::read(fd, request, sizeof request);
  const bool http = got > 4 && std::strncmp(request, "GET ", 4) == 0;
  const std::string line = introduction(client) + "\n";
  const std::string answer = http ? "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + line : line;
  const auto sent = ::write(fd, answer.data(), answer.size());
  ::shutdown(fd, SHUT_WR);
  while (::read(fd, request, sizeof request) > 0) continue;
  std::_Exit(sent > 0 ? 0 : 1);
}

void serve_udp(int fd) {
  static std::vector<char> buffer(65'536);
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  const auto got = ::recvfrom(fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
  if (got < 0) return;
  const auto answer = introduction(from) + " " + std::string(buffer.data(), static_cast<std::size_t>(got));
  ::sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
}

void listen_on_all(const char* spec, std::vector<pollfd>& sockets, std::vector<bool>& is_tcp) {
  const std::string text(spec);
  const auto colon = text.find(':'), slash = text.find('/');
  if (colon == std::string::npos) return;
  server s;
  s.tcp = text.compare(0, 3, "tcp") == 0;
  s.v6_only = text.find('6') < colon;
  s.reuse_port = text.find('r') < colon;
  if (slash != std::string::npos) s.address = text.substr(colon + 1, slash - colon - 1);
  int first = 0, last = 0;
  const int numbers = std::sscanf(spec + (slash == std::string::npos ? colon : slash) + 1, "%d-%d", &first, &last);
  for (int port = first; numbers > 0 && port <= (numbers == 2 ? last : first); ++port) {
    is_tcp.push_back(s.tcp);
    sockets.push_back({.fd = listen_on(s, port), .events = POLLIN, .revents = 0});
  }
}

// Prints to stdout either way: the client of an engine shows it.
int ask(const char* address, const char* port, const char* text) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  ::inet_pton(AF_INET, address, &to.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval limit{2, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const bool sent = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
                    ::send(fd, text, std::strlen(text), MSG_NOSIGNAL) > 0;
  ssize_t got = -1;
  char answer[4096];
  while (sent && (got = ::recv(fd, answer, sizeof answer, 0)) > 0) std::fwrite(answer, 1, std::size_t(got), stdout);
  if (got < 0) std::printf("%s\n", std::strerror(errno));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "end") == 0) return ::kill(1, SIGTERM);
  if (argc == 5 && std::strcmp(argv[1], "ask") == 0) return ask(argv[2], argv[3], argv[4]);
  ::signal(SIGTERM, [](int) { ::_exit(0); });
  ::signal(SIGCHLD, SIG_IGN);
  const rlimit many{65'536, 65'536};
  ::setrlimit(RLIMIT_NOFILE, &many);
  std::vector<pollfd> sockets;
  std::vector<bool> is_tcp;
  for (int i = 1; i < argc; ++i) listen_on_all(argv[i], sockets, is_tcp);
  while (!sockets.empty() && ::poll(sockets.data(), sockets.size(), -1) >= 0)
    for (std::size_t i = 0; i < sockets.size(); ++i)
      if (sockets[i].revents != 0) is_tcp[i] ? serve_tcp(sockets[i].fd) : serve_udp(sockets[i].fd);
}
