#include "kernel/bpf/ring.hpp"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/bpf/memory_limit.hpp"

namespace bpf {
namespace {

std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

void* map_page(int fd, int protection, std::size_t offset) {
  void* at = ::mmap(nullptr, page(), protection, MAP_SHARED, fd, static_cast<off_t>(offset));
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

base::result<ring> ring::create() {
  bpf_attr about;
  std::memset(&about, 0, sizeof about);
  about.map_type = BPF_MAP_TYPE_RINGBUF;
  about.max_entries = static_cast<std::uint32_t>(page());
  const auto create = [&] { return static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &about, sizeof about)); };
  ring made(base::unique_fd(with_more_memory(create)));
  if (!made.map_) return base::fail_errno("BPF ring");
  made.consumer_ = map_page(made.fd(), PROT_READ | PROT_WRITE, 0);
  made.producer_ = map_page(made.fd(), PROT_READ, page());
  if (made.consumer_ == nullptr || made.producer_ == nullptr) return base::fail_errno("BPF ring");
  return made;
}

ring::ring(ring&& other) noexcept
    : map_(std::move(other.map_)),
      consumer_(std::exchange(other.consumer_, nullptr)),
      producer_(std::exchange(other.producer_, nullptr)) {}

ring::~ring() {
  for (void* at : {consumer_, producer_})
    if (at != nullptr) ::munmap(at, page());
}

bool ring::take_all() {
  const auto written = std::atomic_ref(*static_cast<unsigned long*>(producer_)).load(std::memory_order_acquire);
  std::atomic_ref taken(*static_cast<unsigned long*>(consumer_));
  if (taken.load(std::memory_order_relaxed) == written) return false;
  taken.store(written, std::memory_order_release);
  return true;
}

}  // namespace bpf
