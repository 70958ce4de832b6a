// event_times: how long it takes from an engine's event to the expose request at host-switch, for the agent and for
// what it is compared with: in turns, event by event.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "async/clock.hpp"
#include "tests/bench/agent/agent_arena.hpp"

namespace bench {

// One that follows events: the agent or a bare client, each with an engine and a host-switch of its own.
struct follower {
  std::function<void(const std::string& id, std::uint16_t port)> run;
  std::function<void(const std::string& id)> end;
  std::map<std::uint16_t, async::clock::time_point> exposed{};  // by port: when the request arrived
  std::uint16_t host_switch = 0;                                // its port on 127.0.0.1
  std::vector<double> times{}, quiet_times{}, traced_times{};   // milliseconds

  [[nodiscard]] std::string host_switch_url() const;
};

// `one` follows this engine.
void use(follower& one, support::fake_docker& engine);
void use(follower& one, support::fake_containerd& engine);
// Starts its host-switch: a fake that only notes when requests arrive. `one` outlives the loop's tasks.
void listen_for(support::event_loop& loop, follower& one);

// Events close behind each other, or each after a time of quiet: what sleeps then may wake up late.
struct rhythm {
  int count;
  int warm_up;  // so many of the first ones do not count
  std::chrono::milliseconds quiet;
  std::vector<double> follower::* times;  // where the times go
};
constexpr rhythm brisk{1000, 20, std::chrono::milliseconds(2), &follower::times};
constexpr rhythm quiet{20, 0, std::chrono::milliseconds(1300), &follower::quiet_times};
constexpr rhythm traced{500, 0, std::chrono::milliseconds(2), &follower::traced_times};

void time_events(agent_arena& arena, rhythm how, const std::vector<follower*>& all);

void print_event_times(std::string_view title, std::string_view other, const follower& ours, const follower& others);

}  // namespace bench
