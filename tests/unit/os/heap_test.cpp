#include "os/heap.hpp"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace os {
namespace {

// Whether a block of this size is mapped for itself: then its memory goes back to the kernel when it is freed.
bool is_mapped(std::size_t bytes) {
  const auto before = ::mallinfo2().hblks;
  void* volatile block = std::malloc(bytes);
  const auto after = ::mallinfo2().hblks;
  std::free(block);
  return after > before;
}

constexpr bool has_own_allocator = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);

TEST(heap, large_blocks_are_mapped_also_after_one_was_freed) {
  if (has_own_allocator) GTEST_SKIP() << "the sanitizer has an allocator of its own";
  keep_heap_small();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_mapped(1 << 20)) << i;
}

TEST(heap, free_pages_below_a_block_in_use_go_back) {
  if (has_own_allocator) GTEST_SKIP() << "the sanitizer has an allocator of its own";
  constexpr std::size_t block = 4 << 10, count = 1'000;
  std::vector<std::unique_ptr<std::vector<char>>> blocks;
  for (std::size_t i = 0; i < count; ++i) blocks.push_back(std::make_unique<std::vector<char>>(block, 'x'));
  const auto last = std::move(blocks.back());
  const auto page = (reinterpret_cast<std::uintptr_t>(blocks[count / 2]->data()) + block) & ~(block - 1);
  const auto is_resident = [&] {
    unsigned char here = 0;
    EXPECT_EQ(::mincore(reinterpret_cast<void*>(page), 1, &here), 0);
    return (here & 1) != 0;
  };
  ASSERT_TRUE(is_resident());
  blocks.clear();
  trim_heap();
  EXPECT_FALSE(is_resident());
}

}  // namespace
}  // namespace os
