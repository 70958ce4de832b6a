// connect_request: gvforwarder begins a link with an HTTP request, "POST /connect", to which nothing is answered; frames
// follow at once (gvisor-tap-vsock, cmd/vm/main_linux.go). vm-switch begins with a frame. Both come to the same socket.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "async/task.hpp"

namespace host_switch {

inline constexpr std::size_t longest_connect_request = 4'096;  // bytes

// The size of the request that `received` begins with; 0: it is none. Nothing: more bytes are needed.
[[nodiscard]] std::optional<std::size_t> connect_request_size(std::string_view received);

// Takes the request from a fresh connection, if there is one, and no byte more. A peer that says nothing at first is
// waited for only a moment: it sends frames. False: the connection has ended, or its request does not.
async::task<bool> skip_connect_request(int fd);

}  // namespace host_switch
