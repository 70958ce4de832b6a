// wiring: what the agent consists of. Each of its sources and each of its peers is made here and nowhere else, as the
// command line has it; guest_agent connects and runs them.
#pragma once

#include <memory>
#include <vector>

#include "ports/change_trace.hpp"
#include "ports/reconciler.hpp"
#include "ports/source.hpp"
#include "programs/guest_agent/composition.hpp"
#include "programs/guest_agent/options.hpp"
#include "sources/docker/docker_source.hpp"

namespace guest_agent {

// Everything that can be found wrong with a command line is found before anything is made of it.
struct configuration {
  options flags;
  settings validated;
  docker::docker_options docker;
  std::shared_ptr<ports::change_trace> trace{};  // with -trace-events
};

[[nodiscard]] std::unique_ptr<ports::reconciler> make_peer(const async::executor& where, const configuration& c,
                                                           peer_kind kind);
// One for each engine flag that is set, and one for the static ports.
[[nodiscard]] std::vector<std::unique_ptr<ports::source>> make_sources(const async::executor& where,
                                                                       const configuration& c);

}  // namespace guest_agent
