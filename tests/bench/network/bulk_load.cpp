#include "tests/bench/network/bulk_load.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/figures.hpp"
#include "tests/bench/load/poller.hpp"
#include "tests/support/eventually.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr double bits_in_gigabit = 1e9, bytes_in_gigabyte = 1e9;

double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

double cpu_seconds(pid_t pid) { return pid < 0 ? 0 : figures::use_of(pid).cpu_ms / 1000; }

struct segments {
  double sent = 0, again = 0;
};

// Of the network namespace of this thread. /proc/net/snmp has a line of names and a line of values.
segments tcp_segments() {
  std::ifstream file("/proc/thread-self/net/snmp");
  segments found;
  for (std::string keys, values; std::getline(file, keys) && std::getline(file, values);) {
    if (!keys.starts_with("Tcp:")) continue;
    std::istringstream names(keys), numbers(values);
    for (std::string name, number; names >> name && numbers >> number;) {
      if (name == "OutSegs") found.sent = std::stod(number);
      if (name == "RetransSegs") found.again = std::stod(number);
    }
  }
  return found;
}

// Everything that a phase begins and ends with.
struct reading {
  clock::time_point when;
  std::uint64_t bytes = 0;
  double host_cpu = 0, vm_cpu = 0;
  segments tcp;
};

reading read_now(const subject& s, const target_server& target) {
  return {clock::now(), target.counted().sink_bytes, cpu_seconds(s.host_end), cpu_seconds(s.vm_end), tcp_segments()};
}

class flows {
 public:
  flows(const net::endpoint& to, unsigned count) {
    const linger at_once{1, 0};
    for (unsigned i = 0; i < count; ++i) {
      const int fd = open_.emplace_back(start_connection(to)).get();
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);  // what waits at the end counts for nothing
      poller_.watch(fd, i, EPOLLOUT);
    }
  }

  void send_until(clock::time_point end) {
    while (clock::now() < end) {
      const int ready = poller_.wait(20ms);
      for (int i = 0; i < ready; ++i) send(open_[poller_.ready(i)].get());
    }
  }

 private:
  void send(int fd) {
    if (::send(fd, block_.data(), block_.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN) check(-1, "send");
  }

  std::vector<char> block_ = std::vector<char>(256 << 10, 'x');
  std::vector<base::unique_fd> open_;
  poller poller_;
};

bulk_figures between(const subject& s, const reading& before, const reading& after) {
  const auto bytes = static_cast<double>(after.bytes - before.bytes);
  if (bytes == 0) throw std::runtime_error("nothing arrives");
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  bulk_figures f;
  f.gigabits = bytes * 8 / bits_in_gigabit / seconds(after.when - before.when);
  const double host = after.host_cpu - before.host_cpu, vm = after.vm_cpu - before.vm_cpu;
  f.host_cpu = s.host_end < 0 ? unknown : host / (bytes / bytes_in_gigabyte);
  f.both_cpu = s.host_end < 0 ? unknown : (host + vm) / (bytes / bytes_in_gigabyte);
  // The kernel's count of sent segments leaves those out that were sent before.
  const double again = after.tcp.again - before.tcp.again, sent = after.tcp.sent - before.tcp.sent + again;
  f.retransmitted = sent > 0 ? 100 * again / sent : unknown;
  return f;
}

// Until no datagram has arrived for a while.
std::uint64_t all_that_arrives(const target_server& target) {
  for (std::uint64_t last = target.counted().datagrams;;) {
    std::this_thread::sleep_for(150ms);
    const std::uint64_t now = target.counted().datagrams;
    if (now == last) return now;
    last = now;
  }
}

}  // namespace

bulk_figures bulk(const subject& s, way w, unsigned count, duration length) {
  const support::inside there(s.client_place(w));
  const auto& target = s.target(w);
  bulk_figures found;
  {
    flows all(s.target(w, sink_port), count);
    all.send_until(clock::now() + length / 4 + 200ms);
    const auto before = read_now(s, target);
    all.send_until(clock::now() + length);
    found = between(s, before, read_now(s, target));
  }
  support::eventually(5s, [&] { return target.counted().sinking == 0; });  // the next measurement has no other load
  return found;
}

udp_figures udp_at_one_gigabit(const subject& s, way w, duration length) {
  constexpr std::size_t bytes = 1400;
  constexpr double per_second = bits_in_gigabit / 8 / bytes;
  const support::inside there(s.client_place(w));
  const auto& target = s.target(w);
  const auto fd = udp_socket();
  const auto to = net::to_sockaddr(s.target(w, count_port));
  check(::connect(fd.get(), to.get(), to.size), "connect");
  datagrams batch(false);
  batch.send(fd.get(), 1, bytes);  // the first one makes the flow
  const std::uint64_t before = all_that_arrives(target);
  constexpr std::uint64_t most_behind = 256;  // a sender that was not scheduled does not make up for it at once
  std::uint64_t sent = 0, left_out = 0;
  const auto begin = clock::now();
  const auto end = begin + length;
  for (auto now = begin; now < end; now = clock::now()) {
    const auto due = static_cast<std::uint64_t>(seconds(now - begin) * per_second);
    if (due > sent + left_out + most_behind) left_out = due - sent - most_behind;
    if (sent + left_out >= due) {
      std::this_thread::sleep_for(200us);
      continue;
    }
    const auto wanted = static_cast<unsigned>(std::min<std::uint64_t>(due - sent - left_out, datagrams::capacity));
    const int done = batch.send(fd.get(), wanted, bytes);
    if (done > 0) sent += static_cast<std::uint64_t>(done);
  }
  const double took = seconds(clock::now() - begin);
  const auto arrived = static_cast<double>(all_that_arrives(target) - before);
  if (sent == 0 || arrived == 0) throw std::runtime_error("no datagram arrives");
  return {100 * (1 - arrived / static_cast<double>(sent)), arrived * bytes * 8 / bits_in_gigabit / took};
}

}  // namespace bench
