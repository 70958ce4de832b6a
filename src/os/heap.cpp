#include "os/heap.hpp"

#include <malloc.h>

namespace os {

void keep_heap_small() {
  constexpr int block = 128 << 10;  // glibc's own start value
  ::mallopt(M_MMAP_THRESHOLD, block);
  ::mallopt(M_TRIM_THRESHOLD, block);
  ::mallopt(M_ARENA_MAX, 1);
}

void trim_heap() { ::malloc_trim(0); }

}  // namespace os
