// readiness: whether a port that a user waits for is open at the peers, and where to ask whether it answers. Pure.
//
// A port is open when every peer that should have it has it; wsl-proxy and privileged-service send no answers, so for
// them that means: delivered. Whether the container's own server accepts connections is answer_check's question.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/endpoint.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {

enum class readiness : std::uint8_t {
  open,
  opening,   // not yet, or not known
  conflict,  // a peer reports that the port is in use; the agent retries
  left_out,  // published, and by a rule or by policy not opened: waiting does not help
};

struct judgement {
  readiness state = readiness::opening;
  std::string text{};                   // for people: of an open port "tcp 0.0.0.0:8080 of web"
  std::vector<net::endpoint> inside{};  // of an open TCP port: where it answers inside the VM, as far as is known
};

// `asked` has a port, by its number on the host.
[[nodiscard]] judgement judge(const status_document::document& shown, const question& asked);

}  // namespace guestagentctl
