#include "program/rights.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>

namespace program {
namespace {

bool has(const os::allowed_calls& allowed, long number) {
  return std::ranges::count(allowed.numbers, static_cast<std::uint32_t>(number)) > 0;
}

constexpr long nobody_s[]{SYS_ptrace,        SYS_mount,        SYS_io_uring_setup,    SYS_keyctl,
                          SYS_add_key,       SYS_userfaultfd,  SYS_perf_event_open,   SYS_open_by_handle_at,
                          SYS_clock_settime, SYS_settimeofday, SYS_kexec_load,        SYS_reboot,
                          SYS_swapon,        SYS_pivot_root,   SYS_process_vm_readv,  SYS_pidfd_getfd,
                          SYS_chroot,        SYS_personality,  SYS_process_vm_writev, SYS_umount2,
                          SYS_delete_module, SYS_init_module,  SYS_finit_module};

TEST(rights, a_service_starts_no_program) {
  const auto service = calls_of_service();
  EXPECT_FALSE(service.processes);
  for (const long number : {SYS_clone, SYS_execve, SYS_execveat, SYS_kill, SYS_setuid, SYS_bpf, SYS_setns})
    EXPECT_FALSE(has(service, number)) << number;
  for (const auto number : nobody_s) EXPECT_FALSE(has(service, number)) << number;
}

TEST(rights, a_parent_has_a_service_s_calls_and_those_of_its_groups) {
  const auto parent = calls_of_parent({system_calls::of_bpf(), system_calls::of_namespaces()});
  EXPECT_TRUE(parent.processes);
  for (const auto number : calls_of_service().numbers) EXPECT_TRUE(has(parent, number)) << number;
  for (const long number : {SYS_clone, SYS_execve, SYS_bpf, SYS_setns}) EXPECT_TRUE(has(parent, number));
  for (const auto number : nobody_s) EXPECT_FALSE(has(parent, number)) << number;
}

// A jump of a filter is 255 steps at most.
TEST(rights, the_longest_list_fits_into_a_filter) {
  const auto parent = calls_of_parent({system_calls::of_bpf(), system_calls::of_namespaces()});
  EXPECT_LT(os::make_call_filter(parent, {}).size(), 500U);
}

}  // namespace
}  // namespace program
