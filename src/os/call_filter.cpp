#include "os/call_filter.hpp"

#include <link.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "os/readable.hpp"

namespace os {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
void set_result(ucontext_t& context, int value) { context.uc_mcontext.gregs[REG_RAX] = value; }
#elif defined(__aarch64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
void set_result(ucontext_t& context, int value) {
  context.uc_mcontext.regs[0] = static_cast<std::uint64_t>(std::int64_t{value});
}
#else
#error "add the architecture"
#endif

// More than either architecture has. A larger one is refused, and reported as the last.
constexpr std::size_t most_numbers = 512;

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW, refuse = SECCOMP_RET_ERRNO | ENOSYS, report = SECCOMP_RET_TRAP;

// Both architectures are little-endian: the low half comes first.
constexpr std::uint32_t low_half(std::size_t offset) { return static_cast<std::uint32_t>(offset); }
constexpr std::uint32_t high_half(std::size_t offset) { return static_cast<std::uint32_t>(offset + 4); }

class filter_writer {
 public:
  filter_writer(const allowed_calls& allowed, const code_range& reported) : bounds_(bounds_of(allowed.numbers)) {
    load(offsetof(seccomp_data, arch));
    jump(BPF_JEQ, own_architecture, 1, 0);
    end(refuse);
    load(offsetof(seccomp_data, nr));
    // Its flags are in memory, which a filter does not see. The C library goes on with clone().
    jump(BPF_JEQ, SYS_clone3, 0, 1);
    end(refuse);
    if (!allowed.processes) write_threads();
    write_tree(0, bounds_.size());
    write_refusal(reported);
  }
  std::vector<sock_filter> take() { return std::move(code_); }

 private:
  // Where a stretch of allowed numbers begins, where it ends, and so on.
  static std::vector<std::uint32_t> bounds_of(const std::vector<std::uint32_t>& numbers) {
    std::bitset<most_numbers + 1> is_allowed;  // the last one is not
    for (const auto number : numbers)
      if (number < most_numbers) is_allowed.set(number);
    std::vector<std::uint32_t> bounds;
    for (std::uint32_t number = 0; number < is_allowed.size(); ++number)
      if (is_allowed[number] != (bounds.size() % 2 == 1)) bounds.push_back(number);
    return bounds;
  }

  void load(std::uint32_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
  void jump(unsigned test, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
    code_.push_back(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), value,
                             static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false)));
  }
  void end(std::uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  void go_to_refusal() {
    to_refusal_.push_back(code_.size());
    code_.push_back(BPF_STMT(BPF_JMP | BPF_JA, 0));
  }

  void write_threads() {
    jump(BPF_JEQ, SYS_clone, 0, 4);
    load(low_half(offsetof(seccomp_data, args)));
    jump(BPF_JSET, CLONE_THREAD, 0, 1);
    end(allow);
    go_to_refusal();
  }

  // A binary search: the number is known to lie between bounds_[first - 1] and bounds_[last].
  void write_tree(std::size_t first, std::size_t last) {
    if (first == last) return first % 2 == 1 ? end(allow) : go_to_refusal();
    const auto middle = first + (last - first) / 2, at = code_.size();
    jump(BPF_JGE, bounds_[middle], 0, 0);
    write_tree(first, middle);
    code_[at].jt = static_cast<std::uint8_t>(code_.size() - at - 1);
    write_tree(middle + 1, last);
  }

  void write_refusal(const code_range& reported) {
    for (const auto at : to_refusal_) code_[at].k = static_cast<std::uint32_t>(code_.size() - at - 1);
    const auto high = [](std::uint64_t address) { return static_cast<std::uint32_t>(address >> 32U); };
    if (reported.begin >= reported.end || high(reported.begin) != high(reported.end)) return end(refuse);
    load(high_half(offsetof(seccomp_data, instruction_pointer)));
    jump(BPF_JEQ, high(reported.begin), 0, 4);
    load(low_half(offsetof(seccomp_data, instruction_pointer)));
    jump(BPF_JGE, static_cast<std::uint32_t>(reported.begin), 0, 2);
    jump(BPF_JGE, static_cast<std::uint32_t>(reported.end), 1, 0);
    end(report);
    end(refuse);
  }

  std::vector<std::uint32_t> bounds_;
  std::vector<sock_filter> code_;
  std::vector<std::size_t> to_refusal_;
};

std::array<std::atomic<std::uint64_t>, most_numbers / 64> refused;
int refusal = -1;  // an eventfd, readable after a new one

extern "C" void keep_refused_call(int /*signal*/, siginfo_t* about, void* context) {
  const int saved = errno;
  set_result(*static_cast<ucontext_t*>(context), -ENOSYS);
  const auto number = std::min(static_cast<std::size_t>(about->si_syscall), most_numbers - 1);
  const auto bit = std::uint64_t{1} << number % 64;
  const std::uint64_t one = 1;
  if ((refused[number / 64].fetch_or(bit) & bit) == 0) static_cast<void>(!::write(refusal, &one, sizeof one));
  errno = saved;
}

base::result<> catch_refusals() {
  refusal = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (refusal < 0) return base::fail_errno("eventfd");
  struct sigaction action{};  // NOLINT: not a signal from outside
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_sigaction = keep_refused_call;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return base::fail_errno("SIGSYS");  // NOLINT
  return {};
}

int find_calling_code(dl_phdr_info* object, std::size_t /*size*/, void* into) {
  auto& found = *static_cast<code_range*>(into);
  const auto caller = reinterpret_cast<std::uint64_t>(&::syscall);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    const auto begin = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || caller < begin || caller >= begin + segment.p_memsz) continue;
    found = {begin, begin + segment.p_memsz};
    return 1;
  }
  return 0;
}

}  // namespace

std::vector<sock_filter> make_call_filter(const allowed_calls& allowed, const code_range& reported) {
  return filter_writer(allowed, reported).take();
}

code_range calling_code() {
  code_range found;
  ::dl_iterate_phdr(find_calling_code, &found);
  return found;
}

base::result<> filter_calls(const allowed_calls& allowed) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("give up new privileges");
  if (auto caught = catch_refusals(); !caught) return caught;
  auto code = make_call_filter(allowed, calling_code());
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  // Nothing foreign runs in this process: before Linux 5.16 the kernel would otherwise slow down all its loads.
  constexpr unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  const auto done = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (done < 0) return base::fail_errno("seccomp");
  if (done > 0) return base::fail(std::errc::resource_unavailable_try_again, "a thread has a filter of its own");
  return {};
}

async::task<int> refused_call() {
  static std::array<std::uint64_t, most_numbers / 64> returned{};
  while (true) {
    std::uint64_t count = 0;
    static_cast<void>(!::read(refusal, &count, sizeof count));
    for (std::size_t number = 0; number < most_numbers; ++number) {
      const auto bit = std::uint64_t{1} << number % 64;
      if ((refused[number / 64] & ~returned[number / 64] & bit) == 0) continue;
      returned[number / 64] |= bit;
      co_return static_cast<int>(number);
    }
    co_await readable(refusal);
  }
}

}  // namespace os
