// target_server: the target of the benches' loads. Its owner calls serve() in a loop, in a process or a thread of its
// own; counters and the last two functions are for other threads. The ports from `first` on:
//
//   sink_port     TCP  discards its input. At the end of file it answers with the number of bytes, as 8 bytes of the
//                      machine
//   answer_port   TCP  answers each request_bytes with answer_bytes, and then closes if the request begins with 'c'
//   echo_port     UDP  sends every datagram back
//   count_port    UDP  discards and counts
//   hold_port     TCP  keeps the connection and reads nothing. Four ports: where ports have shares of the descriptors,
//                      one of them cannot hold thousands of connections of one client
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/load/load_socket.hpp"

namespace bench {

constexpr std::size_t request_bytes = 128;
constexpr std::size_t answer_bytes = 1024;
constexpr std::uint16_t sink_port = 0, answer_port = 1, echo_port = 2, count_port = 3, hold_port = 4;  // + `first`
constexpr std::uint16_t hold_ports = 4, target_ports = hold_port + hold_ports;

class target_server {
 public:
  struct counters {
    std::atomic<std::uint64_t> sink_bytes = 0;
    std::atomic<std::uint64_t> datagrams = 0;  // at count_port
    std::atomic<std::size_t> sinking = 0;      // connections at sink_port
    std::atomic<std::size_t> held = 0;         // connections at the holding ports
  };

  // In the network namespace of the calling thread. Throws what fails.
  target_server(const net::address& ip, std::uint16_t first);

  // Waits for events and handles them. False: stop() was called.
  bool serve();
  [[nodiscard]] const counters& counted() const { return counters_; }

  // Closes the connections at the holding ports, soon.
  void drop_held();
  void stop();

 private:
  struct client {
    base::unique_fd fd;
    std::uint16_t port = sink_port;
    std::uint64_t taken = 0;
  };

  [[nodiscard]] base::unique_fd udp_at(std::uint16_t port) const;
  void watch(int fd);
  void handle(int fd);
  void take(std::uint16_t port);
  void keep(client taken);
  bool go_on(client& c);
  void forget(int fd);
  void echo();
  void count();
  void obey();

  net::address ip_;
  std::uint16_t first_;
  base::unique_fd epoll_, orders_;
  std::array<base::unique_fd, target_ports> ports_;
  std::map<int, client> clients_;
  std::vector<base::unique_fd> held_;
  std::vector<char> buffer_ = std::vector<char>(256 << 10);
  std::string answer_ = std::string(answer_bytes, 'a');
  datagrams datagrams_{true};
  counters counters_;
  std::atomic<bool> drops_ = false, stops_ = false;
};

}  // namespace bench
