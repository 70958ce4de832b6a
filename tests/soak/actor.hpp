// actor: carries out the operations of a plan in the arena, and knows what is offered there at the moment: it asks
// the engines, and of the others it knows what it made.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tests/soak/arena.hpp"
#include "tests/soak/expectation.hpp"
#include "tests/soak/operation.hpp"
#include "tests/soak/shapes.hpp"

namespace soak {

class actor {
 public:
  explicit actor(arena& where) : arena_(where), impairs_link_(where.can_impair()) {}

  // Why it was refused, by an engine or by the machine; empty: done. A pause is nothing to do. Throws
  // std::runtime_error if a part does not start.
  std::string perform(const operation& o);
  // Removes every container, Service, listener and rule.
  std::string remove_everything();

  // Throws std::runtime_error if an engine does not answer.
  [[nodiscard]] exposures expected() const;

 private:
  void carry_out(const operation& o);
  void of_docker(const operation& o);
  void of_containerd(const operation& o);
  void of_kubernetes(const operation& o);
  void of_listeners(const operation& o);
  void of_faults(const operation& o);
  void break_api(unsigned how);
  void repair_api();
  void jump(unsigned seconds);
  void run_container(unsigned slot, unsigned shape);
  [[nodiscard]] static support::container_spec containerd_spec(unsigned slot, unsigned shape);
  void add_docker(std::vector<offer>& to) const;
  void add_containerd(std::vector<offer>& to) const;

  arena& arena_;
  bool impairs_link_;
  std::array<unsigned, docker_slots> docker_shapes_{};
  std::array<std::optional<unsigned>, containerd_slots> containerd_{};  // the shape, and so below
  std::array<std::optional<unsigned>, service_slots> services_{};
  std::array<std::optional<unsigned>, listener_slots> listeners_{};
  std::array<support::child_process, listener_slots> servers_;
  std::vector<port_rule> rules_;
};

}  // namespace soak
