#include "os/call_filter.hpp"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <numeric>
#include <thread>

#include "os/signals.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"

namespace os {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#else
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#endif

constexpr std::uint32_t allowed = SECCOMP_RET_ALLOW, refused = SECCOMP_RET_ERRNO | ENOSYS, reported = SECCOMP_RET_TRAP;

std::uint32_t value_at(const seccomp_data& call, std::uint32_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, reinterpret_cast<const char*>(&call) + offset, sizeof value);
  return value;
}

// What the kernel does with the filter.
std::uint32_t run(const std::vector<sock_filter>& code, const seccomp_data& call) {
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const auto& step = code[at];
    const auto jump = [&](bool is_true) { at += is_true ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS: a = value_at(call, step.k); break;
      case BPF_JMP | BPF_JA: at += step.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(a == step.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(a >= step.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((a & step.k) != 0); break;
      case BPF_RET | BPF_K: return step.k;
      default: ADD_FAILURE() << "step " << step.code; return 0;
    }
  }
  ADD_FAILURE() << "no end";
  return 0;
}

seccomp_data call_of(long number, std::uint64_t from = 0, std::uint64_t first_argument = 0) {
  return {static_cast<int>(number), architecture, from, {first_argument, 0, 0, 0, 0, 0}};
}

TEST(call_filter, allows_what_is_in_the_list_and_nothing_else) {
  // Alone, side by side, twice, in no order; the ends of the numbers.
  const std::vector<std::uint32_t> numbers{0, 400, 7, 8, 9, 7, 451, 20, 450};
  const auto code = make_call_filter({.numbers = numbers, .processes = true}, {});
  for (std::uint32_t number = 0; number < 600; ++number)
    EXPECT_EQ(run(code, call_of(number)), std::ranges::count(numbers, number) > 0 ? allowed : refused) << number;
  EXPECT_EQ(run(code, call_of(0x4000'0000)), refused) << "x32";
  EXPECT_EQ(run(code, call_of(-1)), refused);
}

TEST(call_filter, refuses_other_architectures) {
  auto call = call_of(0);
  call.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(run(make_call_filter({.numbers = {0}}, {}), call), refused);
}

TEST(call_filter, a_list_of_every_second_number_fits) {
  std::vector<std::uint32_t> numbers(120);
  for (std::uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = 2 * i;
  const auto code = make_call_filter({.numbers = numbers, .processes = true}, {});
  for (std::uint32_t number = 0; number < 300; ++number)
    EXPECT_EQ(run(code, call_of(number)), number < 240 && number % 2 == 0 ? allowed : refused) << number;
}

TEST(call_filter, a_service_makes_threads_and_a_parent_processes) {
  const auto service = make_call_filter({.numbers = {SYS_read}}, {});
  EXPECT_EQ(run(service, call_of(SYS_clone, 0, CLONE_VM | CLONE_THREAD)), allowed);
  EXPECT_EQ(run(service, call_of(SYS_clone, 0, CLONE_VM | CLONE_VFORK)), refused);
  EXPECT_EQ(run(service, call_of(SYS_read)), allowed);
  EXPECT_EQ(run(service, call_of(SYS_clone3)), refused);
  const auto parent = make_call_filter({.numbers = {SYS_clone}, .processes = true}, {});
  EXPECT_EQ(run(parent, call_of(SYS_clone, 0, CLONE_VM | CLONE_VFORK)), allowed);
  EXPECT_EQ(run(parent, call_of(SYS_clone3)), refused);
}

TEST(call_filter, reports_its_own_calls_and_not_those_of_other_programs) {
  constexpr code_range own{0x7f00'1000'2000, 0x7f00'1000'3000};
  const auto code = make_call_filter({.numbers = {SYS_read}}, own);
  for (const auto inside : {own.begin, own.begin + 1, own.end - 1})
    EXPECT_EQ(run(code, call_of(SYS_ptrace, inside)), reported);
  for (const auto outside : {own.begin - 1, own.end, own.begin + 0x1'0000'0000, own.begin & 0xffff'ffff})
    EXPECT_EQ(run(code, call_of(SYS_ptrace, outside)), refused);
  EXPECT_EQ(run(code, call_of(SYS_read, own.begin)), allowed);
  EXPECT_EQ(run(code, call_of(SYS_clone3, own.begin)), refused) << "the C library expects that";
  // A range across 4 GiB would take more comparisons than it is worth.
  const auto across = make_call_filter({.numbers = {}}, {0x7f00'ffff'0000, 0x7f01'0001'0000});
  EXPECT_EQ(run(across, call_of(SYS_ptrace, 0x7f00'ffff'0001)), refused);
}

TEST(call_filter, knows_where_the_calls_are_made) {
  const auto code = calling_code();
  const auto caller = reinterpret_cast<std::uint64_t>(&::syscall);
  EXPECT_LE(code.begin, caller);
  EXPECT_GT(code.end, caller);
}

// In a process of its own: a filter is for good.
void refuse_one() {
  allowed_calls all{.numbers = std::vector<std::uint32_t>(500), .processes = true};
  std::iota(all.numbers.begin(), all.numbers.end(), 0);
  std::erase(all.numbers, SYS_getpgid);
  if (const auto done = filter_calls(all); !done) {
    std::fprintf(stderr, "%s\n", done.error().message().c_str());
    ::_exit(3);
  }
  errno = 0;
  const bool both = ::syscall(SYS_getpgid, 0) == -1 && errno == ENOSYS && ::syscall(SYS_getpgid, 0) == -1;
  bool on_thread = false;  // started later, and without clone3()
  std::thread([&] { on_thread = ::syscall(SYS_getpgid, 0) == -1 && errno == ENOSYS; }).join();
  boost::asio::io_context context;
  const bool named = support::run_task(context, refused_call()) == SYS_getpgid;
  ::_exit(both && on_thread && named ? 0 : 1);
}

TEST(call_filter, a_refused_call_fails_and_is_named_once) {
  const std::uint32_t action = SECCOMP_RET_TRAP;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) GTEST_SKIP() << "needs seccomp";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(refuse_one(), testing::ExitedWithCode(0), "");
}

void refuse_one_with_all_signals_blocked() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // as a supervisor may leave them
  catch_stop_signals();
  refuse_one();
}

TEST(call_filter, a_refused_call_ends_no_program_that_inherits_its_signal_blocked) {
  const std::uint32_t action = SECCOMP_RET_TRAP;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) GTEST_SKIP() << "needs seccomp";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(refuse_one_with_all_signals_blocked(), testing::ExitedWithCode(0), "");
}

TEST(call_filter, a_kernel_without_seccomp_is_an_error) {
  base::result<> done;
  const support::refused_call none{SYS_seccomp, 0, SECCOMP_SET_MODE_FILTER, ENOSYS};
  if (!support::run_without(none, [&] { done = filter_calls({}); })) GTEST_SKIP() << "needs seccomp";
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, std::errc::function_not_supported);
}

}  // namespace
}  // namespace os
