// echo-server: what runs in the test containers, as their only file. `echo-server tcp:80 tcp:1000-1999 udp:53` listens
// on each port, of every address of both families; `tcp:127.0.0.1/80` on one address; `tcp6:80` of IPv6 alone;
// `tcpr:80` beside others that do the same (SO_REUSEPORT). Every answer begins with the host's name (the container's
// short id, or what --hostname or ECHO_NAME says), so that a test sees who answered. TCP: one line or request of HTTP
// is read and answered, then the connection ends. UDP: "<name> " and the datagram. `echo-server end` ends the container
// from within; without a port it ends at once. Linked statically; ends on SIGTERM.
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

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
  const int fd = ::accept(listener, nullptr, nullptr);
  if (fd < 0 || ::fork() != 0) {
    ::close(fd);
    return;
  }
  char request[4096];
  const auto got = ::read(fd, request, sizeof request);
  const bool http = got > 4 && std::strncmp(request, "GET ", 4) == 0;
  const std::string line = host_name() + "\n";
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
  const auto answer = host_name() + " " + std::string(buffer.data(), static_cast<std::size_t>(got));
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

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "end") == 0) return ::kill(1, SIGTERM);
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
