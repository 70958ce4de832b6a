// guest-traffic: the end of the tests' TCP connections in a virtual machine. Linked statically.
//
//   guest-traffic listen PORT                          takes connections until it is killed
//   guest-traffic connect ADDRESS PORT CLIENTS TIMES   each of so many clients connects so many times
//   guest-traffic no-gro INTERFACE                     turns generic receive offload off
//
// The test begins each connection with an order, the line "NAME BYTES END". This end then sends so many bytes of the
// stream and either ends its direction (END is "close"), or resets the connection ("reset"). Unless it resets, it reads
// the test's stream meanwhile, and reports it: "GUEST: ok NAME received 1000", or "GUEST: ok NAME reset". Connections
// named "-" are not reported.
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "tests/integration/byte_stream.hpp"

namespace {

constexpr std::chrono::seconds limit_of_a_call{120};
constexpr int backlog = 128;

struct order {
  std::string name, end;
  std::size_t bytes = 0;
};

order read_order(int fd) {
  std::string line;
  for (char c = 0; ::recv(fd, &c, 1, 0) == 1 && c != '\n';) line += c;
  order made;
  std::istringstream(line) >> made.name >> made.bytes >> made.end;
  return made;
}

void report(const std::string& name, const std::string& what) {
  if (name == "-") return;
  const auto line = "GUEST: ok " + name + " " + what + "\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

void serve(base::unique_fd fd) {
  integration::set_blocking(fd.get(), limit_of_a_call);
  const auto what = read_order(fd.get());
  if (what.end == "reset") {
    integration::send_stream(fd.get(), what.bytes);
    integration::reset(fd);
    return;
  }
  bool sent = false;
  std::thread sender([&] {
    sent = integration::send_stream(fd.get(), what.bytes);
    ::shutdown(fd.get(), SHUT_WR);
  });
  const auto received = integration::receive_stream(fd.get());
  const int error = errno;
  sender.join();
  if (!sent || (!received && error == ECONNRESET)) return report(what.name, "reset");
  report(what.name, received ? "received " + std::to_string(*received) : std::strerror(error));
}

sockaddr_in address_of(const char* address, const char* port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &made.sin_addr);
  made.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(port, nullptr, 10)));
  return made;
}

int fail(const char* what) {
  std::perror(what);
  return 1;
}

int listen_at(const char* port) {
  const base::unique_fd listener(::socket(AF_INET, SOCK_STREAM, 0));
  const auto at = address_of("0.0.0.0", port);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener.get(), backlog) != 0)
    return fail("listen");
  for (;;) {
    base::unique_fd fd(::accept(listener.get(), nullptr, nullptr));
    if (fd) std::thread(serve, std::move(fd)).detach();
  }
}

void connect_often(const sockaddr_in& to, unsigned long times) {
  for (unsigned long i = 0; i < times; ++i) {
    base::unique_fd fd(::socket(AF_INET, SOCK_STREAM, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
      serve(std::move(fd));
    else
      fail("connect");
  }
}

int connect_from(unsigned long clients, unsigned long times, const sockaddr_in& to) {
  std::vector<std::jthread> all;
  for (unsigned long i = 0; i < clients; ++i) all.emplace_back(connect_often, to, times);
  return 0;
}

int turn_receive_offload_off(const char* interface) {
  const base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
  ethtool_value off{ETHTOOL_SGRO, 0};
  ifreq request{};
  std::strncpy(request.ifr_name, interface, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&off);
  return ::ioctl(fd.get(), SIOCETHTOOL, &request) == 0 ? 0 : fail("no-gro");
}

}  // namespace

int main(int count, char** words) {
  const std::string_view what = count > 2 ? words[1] : "";
  if (what == "listen") return listen_at(words[2]);
  if (what == "no-gro") return turn_receive_offload_off(words[2]);
  if (what == "connect" && count == 6)
    return connect_from(std::strtoul(words[4], nullptr, 10), std::strtoul(words[5], nullptr, 10),
                        address_of(words[2], words[3]));
  std::fputs("guest-traffic: see the comment at the top of its source\n", stderr);
  return 2;
}
