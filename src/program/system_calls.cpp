#include "program/system_calls.hpp"

#include <sys/syscall.h>

namespace program::system_calls {

numbers of_every_program() {
  numbers calls{
      // memory
      SYS_brk, SYS_madvise, SYS_membarrier, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap,
      // threads
      SYS_exit, SYS_exit_group, SYS_futex, SYS_get_robust_list, SYS_getcpu, SYS_getpid, SYS_gettid, SYS_prctl, SYS_rseq,
      SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_sched_getaffinity, SYS_sched_getparam,
      SYS_sched_getscheduler, SYS_sched_yield, SYS_set_robust_list, SYS_set_tid_address,
      // signals
      SYS_restart_syscall, SYS_rt_sigaction, SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn,
      SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_signalfd4, SYS_tgkill,
      // time
      SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_gettimeofday, SYS_nanosleep, SYS_timerfd_create,
      SYS_timerfd_gettime, SYS_timerfd_settime,
      // files
      SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_faccessat, SYS_faccessat2, SYS_fadvise64, SYS_fallocate,
      SYS_fchmod, SYS_fchmodat, SYS_fcntl, SYS_fdatasync, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_ftruncate,
      SYS_getcwd, SYS_getdents64, SYS_inotify_add_watch, SYS_inotify_init1, SYS_inotify_rm_watch, SYS_ioctl, SYS_lseek,
      SYS_mkdirat, SYS_newfstatat, SYS_openat, SYS_pipe2, SYS_pread64, SYS_preadv, SYS_pwrite64, SYS_pwritev, SYS_read,
      SYS_readlinkat, SYS_readv, SYS_renameat, SYS_renameat2, SYS_statfs, SYS_statx, SYS_umask, SYS_unlinkat, SYS_write,
      SYS_writev,
      // sockets
      SYS_accept, SYS_accept4, SYS_bind, SYS_connect, SYS_getpeername, SYS_getsockname, SYS_getsockopt, SYS_listen,
      SYS_recvfrom, SYS_recvmmsg, SYS_recvmsg, SYS_sendfile, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_setsockopt,
      SYS_shutdown, SYS_socket, SYS_socketpair, SYS_splice,
      // events
      SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_ppoll, SYS_pselect6,
      // identity
      SYS_capget, SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getgroups, SYS_getppid, SYS_getrandom, SYS_getresgid,
      SYS_getresuid, SYS_getrlimit, SYS_getrusage, SYS_getuid, SYS_prlimit64, SYS_sysinfo, SYS_times, SYS_uname};
#ifdef __x86_64__
  calls.insert(calls.end(), {SYS_arch_prctl, SYS_pause, SYS_time, SYS_access, SYS_chmod, SYS_dup2, SYS_lstat, SYS_mkdir,
                             SYS_open, SYS_pipe, SYS_readlink, SYS_rename, SYS_rmdir, SYS_stat, SYS_unlink,
                             SYS_epoll_create, SYS_epoll_wait, SYS_poll, SYS_select});
#endif
  return calls;
}

numbers of_programs_with_children() {
  numbers calls{// processes
                SYS_clone, SYS_execve, SYS_execveat, SYS_getpgid, SYS_getpriority, SYS_getsid, SYS_kill, SYS_pidfd_open,
                SYS_pidfd_send_signal, SYS_setpgid, SYS_setpriority, SYS_setsid, SYS_tkill, SYS_wait4, SYS_waitid,
                // other programs
                SYS_capset, SYS_chdir, SYS_copy_file_range, SYS_fchdir, SYS_fchown, SYS_fchownat, SYS_fgetxattr,
                SYS_flistxattr, SYS_fsetxattr, SYS_futex_waitv, SYS_getitimer, SYS_getxattr, SYS_lgetxattr, SYS_linkat,
                SYS_listxattr, SYS_llistxattr, SYS_lsetxattr, SYS_memfd_create, SYS_mknodat, SYS_mlock, SYS_mlock2,
                SYS_mlockall, SYS_msync, SYS_munlock, SYS_munlockall, SYS_openat2, SYS_preadv2, SYS_pwritev2,
                SYS_readahead, SYS_rt_sigqueueinfo, SYS_rt_sigsuspend, SYS_rt_tgsigqueueinfo, SYS_sched_setaffinity,
                SYS_sched_setparam, SYS_sched_setscheduler, SYS_seccomp, SYS_setgid, SYS_setgroups, SYS_setitimer,
                SYS_setresgid, SYS_setresuid, SYS_setuid, SYS_setxattr, SYS_symlinkat, SYS_sync, SYS_sync_file_range,
                SYS_syncfs, SYS_tee, SYS_timer_create, SYS_timer_delete, SYS_timer_getoverrun, SYS_timer_gettime,
                SYS_timer_settime, SYS_truncate, SYS_utimensat, SYS_vmsplice};
#ifdef __x86_64__
  calls.insert(calls.end(), {SYS_fork, SYS_getpgrp, SYS_vfork, SYS_alarm, SYS_chown, SYS_creat, SYS_eventfd,
                             SYS_futimesat, SYS_getdents, SYS_inotify_init, SYS_lchown, SYS_link, SYS_mknod,
                             SYS_signalfd, SYS_symlink, SYS_utime, SYS_utimes});
#endif
  return calls;
}

numbers of_bpf() { return {SYS_bpf}; }

numbers of_namespaces() { return {SYS_setns, SYS_unshare}; }

}  // namespace program::system_calls
