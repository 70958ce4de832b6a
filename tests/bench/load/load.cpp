#include "tests/bench/load/load.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/bench/load/load_socket.hpp"
#include "tests/bench/load/poller.hpp"
#include "tests/bench/load/target_server.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

void must_go_on(int ready) {
  if (ready == 0) throw std::runtime_error("nothing arrives any more");
}

}  // namespace

double throughput(const net::endpoint& to, unsigned connections, duration length) {
  const std::vector<char> block(256 << 10, 'x');
  std::vector<base::unique_fd> open;
  poller p;
  for (unsigned i = 0; i < connections; ++i) p.watch(open.emplace_back(start_connection(to)).get(), i, EPOLLOUT);
  const auto begin = clock::now();
  while (clock::now() - begin < length) {
    const int ready = p.wait(5s);
    must_go_on(ready);
    for (int i = 0; i < ready; ++i)
      if (::send(open[p.ready(i)].get(), block.data(), block.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        check(-1, "send");
  }
  for (unsigned i = 0; i < connections; ++i) {
    ::shutdown(open[i].get(), SHUT_WR);
    p.watch(open[i].get(), i, EPOLLIN, EPOLL_CTL_MOD);
  }
  std::uint64_t total = 0;
  for (unsigned left = connections; left > 0;) {
    const int ready = p.wait(5s);
    must_go_on(ready);
    for (int i = 0; i < ready; ++i, --left) {
      std::uint64_t count = 0;
      const int got = check(static_cast<int>(::recv(open[p.ready(i)].get(), &count, sizeof count, 0)), "recv");
      if (got != sizeof count) throw std::runtime_error("the target does not answer");
      total += count;
      p.watch(open[p.ready(i)].get(), 0, 0, EPOLL_CTL_DEL);
    }
  }
  return static_cast<double>(total) / seconds(clock::now() - begin);
}

// As few system calls as a client can make do with: what is measured is the relay, not the load. The request is sent
// at once where the connection stands when connect() comes back.
connections_made make_connections(const net::endpoint& to, unsigned at_once, std::uint64_t count, duration limit) {
  const std::string request(request_bytes, 'c');
  std::vector<base::unique_fd> open(at_once);
  std::vector<bool> asked(at_once);
  std::vector<char> answer(2 * answer_bytes);
  poller p;
  const auto ask = [&](unsigned i) {
    const auto sent = ::send(open[i].get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) check(-1, "send");
    return asked[i] = sent > 0;
  };
  const auto dial = [&](unsigned i) {
    open[i] = start_connection(to);
    p.watch(open[i].get(), i, ask(i) ? EPOLLIN : EPOLLOUT);
  };
  for (unsigned i = 0; i < at_once; ++i) dial(i);
  std::uint64_t done = 0;
  const auto begin = clock::now();
  while (done < count && clock::now() - begin < limit) {
    const int ready = p.wait(5s);
    must_go_on(ready);
    for (int k = 0; k < ready; ++k) {
      const auto i = p.ready(k);
      if (!asked[i]) {
        if (ask(i)) p.watch(open[i].get(), i, EPOLLIN, EPOLL_CTL_MOD);
      } else if (check(static_cast<int>(::recv(open[i].get(), answer.data(), answer.size(), 0)), "recv") == 0) {
        ++done;
        dial(i);
      }
    }
  }
  return {done, seconds(clock::now() - begin)};
}

double connection_rate(const net::endpoint& to, unsigned at_once, duration length) {
  const auto made = make_connections(to, at_once, std::numeric_limits<std::uint64_t>::max(), length);
  return static_cast<double>(made.count) / made.seconds;
}

request_times requests(const net::endpoint& to, unsigned connections, duration length) {
  const std::string request(request_bytes, 'r');
  struct asking {
    base::unique_fd fd;
    clock::time_point since;
    std::size_t got = 0;
  };
  std::vector<asking> open(connections);
  std::vector<double> times;
  std::vector<char> answer(answer_bytes);
  poller p;
  const auto ask = [&](asking& a) {
    a.since = clock::now();
    a.got = 0;
    check(static_cast<int>(::send(a.fd.get(), request.data(), request.size(), MSG_NOSIGNAL)), "send");
  };
  for (unsigned i = 0; i < connections; ++i) {
    open[i].fd = start_connection(to);
    p.watch(open[i].fd.get(), i, EPOLLOUT);
  }
  for (unsigned left = connections; left > 0;) {
    const int ready = p.wait(5s);
    must_go_on(ready);
    for (int k = 0; k < ready; ++k, --left)
      p.watch(open[p.ready(k)].fd.get(), 0, 0, EPOLL_CTL_DEL);  // stands, or is refused
  }
  for (unsigned i = 0; i < connections; ++i) {
    p.watch(open[i].fd.get(), i, EPOLLIN);
    ask(open[i]);
  }
  const auto begin = clock::now();
  while (clock::now() - begin < length) {
    const int ready = p.wait(5s);
    must_go_on(ready);
    for (int k = 0; k < ready; ++k) {
      auto& a = open[p.ready(k)];
      const int got = check(static_cast<int>(::recv(a.fd.get(), answer.data(), answer_bytes - a.got, 0)), "recv");
      if (got == 0) throw std::runtime_error("closed in the middle");
      if ((a.got += static_cast<std::size_t>(got)) < answer_bytes) continue;
      times.push_back(seconds(clock::now() - a.since) * 1e6);
      ask(a);
    }
  }
  const double took = seconds(clock::now() - begin);
  std::ranges::sort(times);
  const auto share = [&](double s) {
    return times.empty() ? 0 : times[static_cast<std::size_t>(s * static_cast<double>(times.size() - 1))];
  };
  return {static_cast<double>(times.size()) / took, share(0.5), share(0.99)};
}

// Datagrams get lost: a client without an answer for a while begins a new window.
double datagram_rate(const net::endpoint& to, unsigned clients, unsigned window, std::size_t bytes, duration length) {
  std::vector<base::unique_fd> open(clients);
  datagrams batch(false);
  poller p;
  const auto address = net::to_sockaddr(to);
  for (unsigned i = 0; i < clients; ++i) {
    open[i] = udp_socket();
    check(::connect(open[i].get(), address.get(), address.size), "connect");
    p.watch(open[i].get(), i, EPOLLIN);
    batch.send(open[i].get(), window, bytes);
  }
  std::uint64_t returned = 0;
  const auto begin = clock::now();
  while (clock::now() - begin < length) {
    const int ready = p.wait(20ms);
    for (int k = 0; k < ready; ++k) {
      const int fd = open[p.ready(k)].get();
      const int got = batch.receive(fd);
      if (got <= 0) continue;
      returned += static_cast<std::uint64_t>(got);
      batch.send(fd, static_cast<unsigned>(got), bytes);
    }
    for (unsigned i = 0; ready == 0 && i < clients; ++i) batch.send(open[i].get(), window, bytes);
  }
  if (returned == 0) throw std::runtime_error("no datagram comes back");
  return static_cast<double>(returned) / seconds(clock::now() - begin);
}

}  // namespace bench
