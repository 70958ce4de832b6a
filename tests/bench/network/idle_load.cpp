#include "tests/bench/network/idle_load.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/bench/figures.hpp"
#include "tests/bench/load/poller.hpp"
#include "tests/support/eventually.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

constexpr way inward{};  // from the host to the VM
constexpr unsigned idle_connections = 2000, stuck_connections = 100;
constexpr std::uint64_t warm_up_connections = 15'000, short_connections = 30'000;
constexpr std::chrono::seconds opening_limit{30}, short_limit{120};

double resident_kib(const subject& s) { return static_cast<double>(figures::status_kib(s.host_end, "VmRSS:")); }

// The VM's own words on a new link have ended, connections have given their memory back, and windows that stay closed
// are probed each few seconds.
constexpr std::chrono::seconds settling{7}, watched{10};

double wakeups(const subject& s) {
  std::this_thread::sleep_for(settling);
  const auto before = figures::use_of(s.host_end).switches;
  std::this_thread::sleep_for(watched);
  return static_cast<double>(figures::use_of(s.host_end).switches - before) /
         std::chrono::duration<double>(watched).count();
}

// Connections to the holding ports in turn, in the namespace of this thread. One after the other: slirp4netns'
// listeners have room for one, and what does not fit is late by seconds.
class held_connections {
 public:
  explicit held_connections(const subject& s) : subject_(s), target_(s.target(inward)) {}
  ~held_connections() {
    open_.clear();
    target_.drop_held();
    support::eventually(10s, [&] { return target_.counted().held == 0; });
  }
  held_connections(const held_connections&) = delete;
  held_connections& operator=(const held_connections&) = delete;

  void open(unsigned count) {
    for (const auto wanted = open_.size() + count; open_.size() < wanted;) {
      const auto port = static_cast<std::uint16_t>(hold_port + open_.size() % hold_ports);
      open_.push_back(start_connection(subject_.target(inward, port)));
      const auto deadline = support::clock::now() + opening_limit;
      while (target_.counted().held < open_.size()) {
        if (support::clock::now() > deadline)
          throw std::runtime_error(fmt::format("{} of {} connections stand", target_.counted().held.load(), wanted));
        std::this_thread::sleep_for(100us);
      }
    }
  }

  void half_close(std::size_t first, std::size_t count) {
    for (auto i = first; i < first + count; ++i) ::shutdown(open_[i].get(), SHUT_WR);
  }

  // Sends until the windows and buffers on the way are full.
  void fill(std::size_t first, std::size_t count) {
    const std::vector<char> block(64 << 10, 'x');
    poller ready;
    for (auto i = first; i < first + count; ++i) ready.watch(open_[i].get(), static_cast<unsigned>(i), EPOLLOUT);
    const auto deadline = support::clock::now() + opening_limit;
    while (support::clock::now() < deadline) {
      const int many = ready.wait(1s);
      if (many == 0) return;
      for (int i = 0; i < many; ++i)
        if (::send(open_[ready.ready(i)].get(), block.data(), block.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
          check(-1, "send");
    }
  }

  void reset(std::size_t first, std::size_t count) {
    const linger at_once{1, 0};
    for (auto i = first; i < first + count; ++i) {
      ::setsockopt(open_[i].get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      open_[i].reset();
    }
  }

 private:
  const subject& subject_;
  target_server& target_;
  std::vector<base::unique_fd> open_;
};

}  // namespace

idle_figures idle(const subject& s) {
  const support::inside there(s.client_place(inward));
  idle_figures found;
  const double fresh = resident_kib(s);
  found.fresh_megabytes = fresh / 1024;
  {
    held_connections held(s);
    held.open(idle_connections);
    found.idle_kilobytes = (resident_kib(s) - fresh) / idle_connections;
    found.idle_wakeups = wakeups(s);
  }
  {
    held_connections held(s);
    held.open(3 * stuck_connections);
    held.half_close(0, stuck_connections);
    held.fill(stuck_connections, stuck_connections);
    held.reset(2 * stuck_connections, stuck_connections);
    found.stuck_wakeups = wakeups(s);
  }
  return found;
}

growth_figures growth_by_short_connections(const subject& s) {
  const support::inside there(s.client_place(inward));
  const auto to = s.target(inward, answer_port);
  make_connections(to, 16, warm_up_connections, short_limit);
  const double before = resident_kib(s);
  const auto made = make_connections(to, 16, short_connections, short_limit);
  const double after = resident_kib(s);
  return {after / 1024, (after - before) / 1024, static_cast<double>(made.count)};
}

}  // namespace bench
