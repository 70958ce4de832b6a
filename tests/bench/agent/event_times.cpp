#include "tests/bench/agent/event_times.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "http/server.hpp"
#include "tests/bench/agent/comparison.hpp"
#include "tests/bench/figures.hpp"
#include "tests/support/loopback_socket.hpp"

namespace bench {
namespace {

using async::clock;
using figures::at_share;

// Takes every forward and notes when it came.
async::task<http::answer> note_expose(follower* one, http::incoming in) {
  const auto now = clock::now();
  http::answer a;
  if (in.head.target == "/services/forwarder/all") {
    a.head.body = "[]\n";
    co_return a;
  }
  const auto at = in.head.body.find("0.0.0.0:");
  if (in.head.target.ends_with("/expose") && at != std::string::npos)
    one->exposed.emplace(static_cast<std::uint16_t>(std::atoi(in.head.body.c_str() + at + 8)), now);
  co_return a;
}

double time_event(support::event_loop& loop, follower& one, const std::string& id, std::uint16_t port) {
  const auto begin = clock::now();
  one.run(id, port);
  if (!loop.run_until([&] { return one.exposed.contains(port); })) throw std::runtime_error("not exposed");
  const auto took = figures::milliseconds(one.exposed[port] - begin);
  one.end(id);
  return took;
}

}  // namespace

std::string follower::host_switch_url() const { return fmt::format("http://127.0.0.1:{}", host_switch); }

void use(follower& one, support::fake_docker& engine) {
  one.run = [&engine](const std::string& id, std::uint16_t port) { engine.run(id, port); };
  one.end = [&engine](const std::string& id) {
    engine.end(id);
    engine.containers.erase(id);
  };
}

void use(follower& one, support::fake_containerd& engine) {
  one.run = [&engine](const std::string& id, std::uint16_t port) { engine.run(id, port); };
  one.end = [&engine](const std::string& id) {
    engine.end("default", id);
    engine.forget("default", id);
  };
}

void listen_for(support::event_loop& loop, follower& one) {
  auto listener = support::listen_on_loopback();
  one.host_switch = listener.port;
  loop.spawn(
      http::serve(std::move(listener.fd), [to = &one](http::incoming in) { return note_expose(to, std::move(in)); }));
}

void time_events(agent_arena& arena, rhythm how, const std::vector<follower*>& all) {
  for (auto* one : all) one->exposed.clear();
  for (int i = 0; i < how.count; ++i)
    for (auto* one : all) {
      arena.rest(how.quiet);
      const auto took =
          time_event(arena.loop, *one, "c" + std::to_string(i), static_cast<std::uint16_t>(first_port + i));
      if (i >= how.warm_up) (one->*how.times).push_back(took);
    }
}

void print_event_times(std::string_view title, std::string_view other, const follower& ours, const follower& others) {
  print_heading(title, other);
  print_row("event to expose request, p50", at_share(ours.times, 0.50), at_share(others.times, 0.50), "ms");
  print_row("event to expose request, p99", at_share(ours.times, 0.99), at_share(others.times, 0.99), "ms");
  if (!ours.quiet_times.empty())
    print_row("after 1.3 s of quiet, the slowest of 20", at_share(ours.quiet_times, 1), at_share(others.quiet_times, 1),
              "ms");
}

}  // namespace bench
