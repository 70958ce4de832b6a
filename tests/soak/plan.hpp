// plan: the operations of a soak, one after the other: a function of the seed alone. It knows what it has ordered and
// not how that went, so that a run can be repeated.
//
// Faults last for a few operations each, at most one of a kind at a time, and all have ended before a pause. What a
// fault makes impossible is not ordered meanwhile: nothing of Docker while dockerd is away. While the disk is full, and
// until the next pause, the agent is not killed: what it cannot record it may forget (docs/operations.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "tests/soak/operation.hpp"
#include "tests/soak/shapes.hpp"

namespace soak {

class plan {
 public:
  explicit plan(std::uint64_t seed, unsigned operations_between_pauses = 40);

  [[nodiscard]] operation next();
  // From now on only the ends of faults, and then a pause.
  void pause_next() { since_pause_ = between_pauses_; }

 private:
  enum class container : std::uint8_t { absent, running, paused, stopped };
  // A fault that goes on: its end, and after how many operations it comes.
  struct ongoing {
    operation end;
    unsigned left;
  };

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool chance(unsigned percent) { return pick(100) < percent; }
  [[nodiscard]] bool is_away(part which) const;
  [[nodiscard]] bool is_ongoing(kind end) const;

  std::optional<operation> due_end(bool all);
  std::optional<operation> fault();
  std::optional<operation> fill_disk();
  std::optional<operation> break_api();
  std::optional<operation> jump();
  std::optional<operation> begin(operation fault, kind end, unsigned longest);
  std::optional<operation> kill_or_stall(kind what);
  void engine_died();

  operation load();
  std::optional<operation> docker_load();
  [[nodiscard]] operation of_running(unsigned slot);
  std::optional<operation> containerd_load();
  operation service_load();
  operation listener_load();
  operation rules();
  port_rule one_rule();

  std::mt19937_64 random_;
  unsigned between_pauses_;
  unsigned since_pause_ = 0;
  bool spares_agent_ = false;
  std::vector<ongoing> ongoing_;
  std::array<container, docker_slots> docker_{};
  std::array<unsigned, docker_slots> shape_{};
  std::array<container, containerd_slots> containerd_{};
  std::array<bool, service_slots> services_{};
  std::array<bool, listener_slots> listeners_{};
};

}  // namespace soak
