// frame_trace: a log line for each frame (-trace-packets, SIGUSR1): its direction, addresses, protocol and size.
#pragma once

#include <string>
#include <string_view>

#include "link/framing.hpp"

namespace vm_switch {

// "direction=in bytes=60 from=5a:… to=5a:… type=0x0800 source=192.168.127.1 destination=192.168.127.2 protocol=6".
// Pure.
[[nodiscard]] std::string describe_frame(std::string_view direction, links::bytes_view frame);
void trace_frame(std::string_view direction, links::bytes_view frame);

}  // namespace vm_switch
