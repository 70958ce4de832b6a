// heap: how the program's heap gives memory back to the kernel. For a program whose memory is small except in bursts.
#pragma once

namespace os {

// Large blocks are mapped one by one and unmapped when they are freed, however many there have been: glibc would
// otherwise raise its limit with each freed block, up to 32 MB. All threads share one arena. Before threads are
// started.
void keep_heap_small();

// Gives back the free pages that lie between blocks in use. Takes about a millisecond for ten megabytes.
void trim_heap();

}  // namespace os
