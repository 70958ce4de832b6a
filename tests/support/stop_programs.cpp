#include "tests/support/stop_programs.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <array>
#include <utility>

namespace support {

std::string stop_programs(lab& l) {
  const std::array<std::pair<const char*, child_process*>, 6> all{{{"agent", &l.agent()},
                                                                   {"host-switch", &l.host_switch()},
                                                                   {"wsl-proxy", &l.wsl_proxy()},
                                                                   {"vtunnel peer", &l.vtunnel_peer()},
                                                                   {"vtunnel host", &l.vtunnel_host()},
                                                                   {"privileged-service", &l.privileged_service()}}};
  for (const auto& [name, program] : all) program->signal(SIGCONT);  // a test may have halted it
  std::string trouble;
  for (const auto& [name, program] : all) {
    if (!program->running()) continue;  // the test has ended it
    const auto code = program->stop();
    if (code != 0) trouble += fmt::format("{} {}\n", name, code ? fmt::format("ended with {}", *code) : "did not end");
  }
  return trouble;
}

}  // namespace support
