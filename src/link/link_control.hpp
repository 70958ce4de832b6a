// link_control: how network-setup passes a new data connection to a running vm-switch: over a pair of SOCK_SEQPACKET
// sockets that vm-switch inherits, with the connection as SCM_RIGHTS. vm-switch answers "ok". Two environment
// variables, which the original ignores, name the socket and say whether the first connection asks for offload:
//
//   GUESTAGENT_LINK_CONTROL=4     the descriptor
//   GUESTAGENT_LINK_OFFLOAD=1     ask the other end of descriptor 3 for offload
//
// Non-blocking. Errors are the kernel's; connection_aborted: the other program has ended.
#pragma once

#include <array>
#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace links {

inline constexpr const char* control_variable = "GUESTAGENT_LINK_CONTROL";
inline constexpr const char* offload_variable = "GUESTAGENT_LINK_OFFLOAD";

struct handed_link {
  base::unique_fd fd;
  bool asks_offload = false;
};

[[nodiscard]] base::result<std::array<base::unique_fd, 2>> make_control_pair();

// network-setup's side. The descriptor is copied.
base::result<> hand_link(int control, int link, bool asks_offload);
// True: vm-switch has accepted the last connection; false: no answer yet.
[[nodiscard]] base::result<bool> take_answer(int control);

// vm-switch's side. nullopt if no connection is waiting. Answers the one that it returns.
[[nodiscard]] base::result<std::optional<handed_link>> take_link(int control);

}  // namespace links
