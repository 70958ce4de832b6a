// connect_request: gvforwarder begins a link with an HTTP request, "POST /connect", which gets no response; frames
// follow immediately (gvisor-tap-vsock, cmd/vm/main_linux.go). vm-switch begins with a frame. Both use the same socket.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "async/task.hpp"
#include "base/unique_fd.hpp"

namespace host_switch {

inline constexpr std::size_t longest_connect_request = 4'096;  // bytes

// The size of the request at the beginning of `received`; 0: there is none. nullopt: more bytes are needed.
[[nodiscard]] std::optional<std::size_t> connect_request_size(std::string_view received);

// Removes the request from a new connection, if there is one, and reads no further byte. It waits only briefly for a
// peer that is silent at first: such a peer sends frames. False: the connection has ended, or its request does not end.
// The owner of `fd`, which outlives the task, may close it meanwhile: that is false, too.
async::task<bool> skip_connect_request(const base::unique_fd& fd);

}  // namespace host_switch
