// frame_copier: a tap interface at one end of a stream, as little as can be: no translation, no offload, batches both
// ways. Two of them with a UNIX socket between are the row "wire"; one is the VM's end for passt. A process of its own.
#pragma once

#include <span>

namespace bench {

// TAP listen|connect SOCKET stdio|qemu: makes the interface in the namespace of the process, and copies until the other
// end closes. `stdio`: 2 bytes of length, little endian; `qemu`: 4 bytes, big endian.
[[noreturn]] void copy_frames(std::span<char*> words);

// SOCKET PROGRAM [ARGUMENT…]: runs the program with descriptor 3 connected to the UNIX socket.
[[noreturn]] void run_connected(std::span<char*> words);

}  // namespace bench
