// reconcile_fsm_fixture: one machine and its peer's answers, with the time as a value.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "ports/reconcile_fsm.hpp"

namespace ports {

inline const net::address any = net::address::any_v4();
inline const net::address loopback = net::address::loopback_v4();

inline forward on(std::uint16_t port, net::address address = any, std::uint16_t container_port = 0) {
  return {{net::protocol::tcp, address, port}, container_port, source_id::docker, {}};
}
inline forward_map all(std::initializer_list<forward> forwards) {
  forward_map made;
  for (const auto& f : forwards) made[f.key] = f;
  return made;
}
inline std::string text(const std::vector<operation>& operations) {
  std::string joined;
  for (const auto& op : operations) joined += (op.what == verb::add ? "+" : "-") + to_string(op.target.key) + " ";
  return joined;
}

class reconcile_fsm_fixture : public testing::Test {
 protected:
  const source_set all_but_docker = source_set(all_sources).reset(source_id::docker.rank());

  void want(std::initializer_list<forward> forwards, source_set settled = all_sources) {
    fsm.want(all(forwards), settled, 1, now);
  }
  std::vector<forward> list(std::vector<held_forward> held = {}) {
    EXPECT_TRUE(fsm.should_list(now));
    return fsm.listed(peer_state{"", true, std::move(held)}, now);
  }
  void down() {
    EXPECT_TRUE(fsm.should_list(now));
    EXPECT_THAT(fsm.listed(base::fail(std::errc::connection_refused, "peer"), now), testing::IsEmpty());
  }
  std::string take() {
    const auto more = fsm.take(100, now);
    taken.insert(taken.end(), more.begin(), more.end());
    return text(more);
  }
  void finish(outcome_kind kind = outcome_kind::done, std::string reason = {}) {
    for (const auto& op : std::exchange(taken, {})) fsm.finished(op, {kind, reason}, now);
  }

  time_point now{std::chrono::seconds(1000)};
  reconcile_fsm fsm{sink_traits{1, 100, true, false}, reconcile_options{}};
  std::vector<operation> taken;
};

}  // namespace ports
