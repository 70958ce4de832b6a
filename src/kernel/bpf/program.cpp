#include "kernel/bpf/program.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/bpf/memory_limit.hpp"

namespace bpf {
namespace {

// The kernel's numbers, include/net/tcp_states.h.
constexpr std::int32_t state_close = 7, state_listen = 10;

enum reg : std::uint8_t { r0, r1, r2, r3, r4, r6 = 6, r10 = 10 };

bpf_insn instruction(int code, reg to, reg from, int offset, std::int32_t value) {
  bpf_insn made{};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = to & 0xf;
  made.src_reg = from & 0xf;
  made.off = static_cast<std::int16_t>(offset);
  made.imm = value;
  return made;
}

// A program under construction: r6 holds its argument. It has one exit, at its end.
class draft {
 public:
  draft() { copy(r6, r1); }

  void load(reg to, std::size_t offset) { add(BPF_LDX | BPF_MEM | BPF_W, to, r6, static_cast<int>(offset)); }
  void set(reg to, std::int32_t value) { add(BPF_ALU64 | BPF_MOV | BPF_K, to, r0, 0, value); }
  void call(int function) { add(BPF_JMP | BPF_CALL, r0, r0, 0, function); }
  void leave_if(int condition, reg what, std::int32_t value) {
    leaps_.push_back(code_.size());
    add(BPF_JMP32 | condition | BPF_K, what, r0, 0, value);
  }
  // Skips that number of instructions.
  void skip_if(int condition, reg what, std::int32_t value, int skipped) {
    add(BPF_JMP32 | condition | BPF_K, what, r0, skipped, value);
  }
  [[nodiscard]] std::size_t size() const { return code_.size(); }
  // Sets the target of the skip_if() at `at` to this place.
  void land(std::size_t at) { code_[at].off = static_cast<std::int16_t>(code_.size() - at - 1); }

  // Continues only for sockets of that namespace.
  void stay_in(netns_cookie own) {
    if (own == every_namespace) return;
    copy(r1, r6);
    call(BPF_FUNC_get_netns_cookie);
    add_wide(r1, r0, static_cast<std::uint32_t>(own), static_cast<std::uint32_t>(own >> 32));
    leaps_.push_back(code_.size());
    add(BPF_JMP | BPF_JNE | BPF_X, r0, r1);
  }

  // Requests more calls for the socket, in addition to those in r2.
  void ask_for(std::int32_t flag) {
    add(BPF_ALU64 | BPF_OR | BPF_K, r2, r0, 0, flag);
    copy(r1, r6);
    call(BPF_FUNC_sock_ops_cb_flags_set);
  }

  // Writes one record, and ends with `verdict`, here and at every early exit.
  std::span<const bpf_insn> notify_and_return(int ring, std::int32_t verdict) {
    add(BPF_ST | BPF_MEM | BPF_DW, r10, r0, -8, 1);
    add_wide(r1, static_cast<reg>(BPF_PSEUDO_MAP_FD), static_cast<std::uint32_t>(ring), 0);
    copy(r2, r10);
    add(BPF_ALU64 | BPF_ADD | BPF_K, r2, r0, 0, -8);
    set(r3, 8);
    set(r4, 0);
    call(BPF_FUNC_ringbuf_output);
    for (const auto at : leaps_) land(at);
    set(r0, verdict);
    add(BPF_JMP | BPF_EXIT, r0, r0);
    return code_;
  }

 private:
  void add(int code, reg to, reg from, int offset = 0, std::int32_t value = 0) {
    code_.push_back(instruction(code, to, from, offset, value));
  }
  void add_wide(reg to, reg kind, std::uint32_t low, std::uint32_t high) {
    add(BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, static_cast<std::int32_t>(low));
    add(0, r0, r0, 0, static_cast<std::int32_t>(high));
  }
  void copy(reg to, reg from) { add(BPF_ALU64 | BPF_MOV | BPF_X, to, from); }

  std::vector<bpf_insn> code_;
  std::vector<std::size_t> leaps_;  // the early exits
};

template <class Fill>
int call_bpf(int command, Fill&& fill) {
  bpf_attr about;
  std::memset(&about, 0, sizeof about);
  fill(about);
  return static_cast<int>(::syscall(SYS_bpf, command, &about, sizeof about));
}

base::unique_fd load_program(std::uint32_t type, std::uint32_t attach_type, std::span<const bpf_insn> c) {
  static constexpr const char* license = "Apache-2.0";
  const auto fill = [&](bpf_attr& a) {
    a.prog_type = type;
    a.expected_attach_type = attach_type;
    a.insns = reinterpret_cast<std::uintptr_t>(c.data());
    a.insn_cnt = static_cast<std::uint32_t>(c.size());
    a.license = reinterpret_cast<std::uintptr_t>(license);
  };
  return base::unique_fd(with_more_memory([&] { return call_bpf(BPF_PROG_LOAD, fill); }));
}

bool is_group_directory(const base::unique_fd& fd) {
  struct statfs about{};
  return fd && ::fstatfs(fd.get(), &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC;
}

// The root of the control groups, mounted for this process only, whether or not the machine has it mounted.
base::unique_fd make_root_mount() {
  const base::unique_fd context(static_cast<int>(::syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return base::unique_fd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

base::unique_fd root_mount;  // empty without the right to mount

base::unique_fd open_root_group() {
  if (root_mount) return base::unique_fd(::fcntl(root_mount.get(), F_DUPFD_CLOEXEC, 0));
  for (const auto* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
    if (base::unique_fd fd(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)); is_group_directory(fd)) return fd;
  errno = ENOENT;
  return {};
}

base::result<attachment> attach_to_root(std::uint32_t type, std::uint32_t where, std::span<const bpf_insn> c) {
  attachment made{load_program(type, where, c), {}};
  if (!made.program) return base::fail_errno("BPF program");
  const auto root = open_root_group();
  if (!root) return base::fail_errno("cgroup2");
  made.link.reset(call_bpf(BPF_LINK_CREATE, [&](bpf_attr& a) {
    a.link_create.prog_fd = static_cast<std::uint32_t>(made.program.get());
    a.link_create.target_fd = static_cast<std::uint32_t>(root.get());
    a.link_create.attach_type = where;
  }));
  if (!made.link) return base::fail_errno("BPF program at the root of the control groups");
  return made;
}

}  // namespace

void mount_root_group() { root_mount = make_root_mount(); }

base::result<netns_cookie> own_namespace() {
  const base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  netns_cookie cookie = every_namespace;
  socklen_t size = sizeof cookie;
  if (!fd || ::getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return base::fail_errno("SO_NETNS_COOKIE");
  return cookie;
}

bool sees_all_groups() {
  constexpr ino_t first_group_namespace = 0xEFFFFFFB;  // the kernel's PROC_CGROUP_INIT_INO
  struct stat about{};
  return ::stat("/proc/thread-self/ns/cgroup", &about) != 0 || about.st_ino == first_group_namespace;
}

// The kernel calls it at many moments of a connection; the result 1, and a reply left at 0, change none of them. The
// request for changes of state, which reports shutdown() too, is inherited by the listener's connections.
base::result<attachment> notify_tcp_listens(int ring, netns_cookie own) {
  draft d;
  d.load(r2, offsetof(bpf_sock_ops, op));
  const auto to_listen = d.size();
  d.skip_if(BPF_JEQ, r2, BPF_SOCK_OPS_TCP_LISTEN_CB, 0);
  d.leave_if(BPF_JNE, r2, BPF_SOCK_OPS_STATE_CB);
  d.load(r2, offsetof(bpf_sock_ops, args[0]));
  d.leave_if(BPF_JNE, r2, state_listen);
  d.load(r2, offsetof(bpf_sock_ops, args[1]));
  d.leave_if(BPF_JNE, r2, state_close);
  d.land(to_listen);
  d.stay_in(own);
  d.load(r2, offsetof(bpf_sock_ops, bpf_sock_ops_cb_flags));
  d.ask_for(BPF_SOCK_OPS_STATE_CB_FLAG);
  return attach_to_root(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, d.notify_and_return(ring, 1));
}

base::result<attachment> notify_tcp_closes(int ring, netns_cookie own) {
  draft d;
  d.load(r2, offsetof(bpf_sock, state));
  d.leave_if(BPF_JNE, r2, state_listen);
  d.stay_in(own);
  return attach_to_root(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE, d.notify_and_return(ring, 1));
}

base::result<attachment> notify_udp_binds(int ring, netns_cookie own, bool v6, std::uint16_t first,
                                          std::uint16_t last) {
  draft d;
  d.load(r2, offsetof(bpf_sock, protocol));
  d.leave_if(BPF_JNE, r2, IPPROTO_UDP);
  d.load(r2, offsetof(bpf_sock, src_port));
  d.skip_if(BPF_JLT, r2, first, 1);
  d.leave_if(BPF_JLE, r2, last);
  d.stay_in(own);
  const auto where = v6 ? BPF_CGROUP_INET6_POST_BIND : BPF_CGROUP_INET4_POST_BIND;
  return attach_to_root(BPF_PROG_TYPE_CGROUP_SOCK, where, d.notify_and_return(ring, 1));
}

}  // namespace bpf
