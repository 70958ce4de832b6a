#include "bpf/program.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace bpf {
namespace {

// The kernel's numbers, include/net/tcp_states.h.
constexpr std::int32_t state_close = 7, state_listen = 10;

enum reg : std::uint8_t { r0, r1, r2, r3, r4, r10 = 10 };

bpf_insn instruction(int code, reg to, reg from, int offset, std::int32_t value) {
  bpf_insn made{};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = to & 0xf;
  made.src_reg = from & 0xf;
  made.off = static_cast<std::int16_t>(offset);
  made.imm = value;
  return made;
}
bpf_insn load(int size, reg to, reg base, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | size, to, base, static_cast<int>(offset), 0);
}
bpf_insn set(reg to, std::int32_t value) { return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, r0, 0, value); }
// Skips that many instructions.
bpf_insn skip_if(int condition, reg what, std::int32_t value, int skipped) {
  return instruction(BPF_JMP32 | condition | BPF_K, what, r0, skipped, value);
}

using code = std::vector<bpf_insn>;

// Writes one record and answers `verdict`; entered behind its first part, it only answers.
constexpr int tell_length = 8;
void tell_and_return(code& c, int ring, std::int32_t verdict) {
  c.push_back(instruction(BPF_ST | BPF_MEM | BPF_DW, r10, r0, -8, 1));
  c.push_back(instruction(BPF_LD | BPF_DW | BPF_IMM, r1, static_cast<reg>(BPF_PSEUDO_MAP_FD), 0, ring));
  c.push_back(instruction(0, r0, r0, 0, 0));  // the address's upper half
  c.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, r2, r10, 0, 0));
  c.push_back(instruction(BPF_ALU64 | BPF_ADD | BPF_K, r2, r0, 0, -8));
  c.push_back(set(r3, 8));
  c.push_back(set(r4, 0));
  c.push_back(instruction(BPF_JMP | BPF_CALL, r0, r0, 0, BPF_FUNC_ringbuf_output));
  c.push_back(set(r0, verdict));
  c.push_back(instruction(BPF_JMP | BPF_EXIT, r0, r0, 0, 0));
}

template <class Fill>
int call_bpf(int command, Fill&& fill) {
  bpf_attr about;
  std::memset(&about, 0, sizeof about);
  fill(about);
  return static_cast<int>(::syscall(SYS_bpf, command, &about, sizeof about));
}

base::unique_fd load_program(std::uint32_t type, std::uint32_t attach_type, std::span<const bpf_insn> c) {
  static constexpr const char* license = "Apache-2.0";
  return base::unique_fd(call_bpf(BPF_PROG_LOAD, [&](bpf_attr& a) {
    a.prog_type = type;
    a.expected_attach_type = attach_type;
    a.insns = reinterpret_cast<std::uintptr_t>(c.data());
    a.insn_cnt = static_cast<std::uint32_t>(c.size());
    a.license = reinterpret_cast<std::uintptr_t>(license);
  }));
}

bool is_group_directory(const base::unique_fd& fd) {
  struct statfs about{};
  return fd && ::fstatfs(fd.get(), &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC;
}

// The root of the control groups, mounted for this process's eyes alone: wherever the machine has it, or has it not.
base::unique_fd mount_root_group() {
  const base::unique_fd context(static_cast<int>(::syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return base::unique_fd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

// Without the right to mount: where machines have it.
base::unique_fd open_root_group() {
  if (auto mounted = mount_root_group()) return mounted;
  for (const auto* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
    if (base::unique_fd fd(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)); is_group_directory(fd)) return fd;
  errno = ENOENT;
  return {};
}

}  // namespace

base::result<attachment> tell_tcp_listeners(int ring) {
  // The arguments of the tracepoint: the socket, its old state and its new one. A connection's socket is made from its
  // listener's, in state LISTEN: that alone says nothing.
  code c{load(BPF_DW, r2, r1, 16), load(BPF_DW, r3, r1, 8), skip_if(BPF_JEQ, r2, state_listen, 2),
         skip_if(BPF_JNE, r2, state_close, 1 + tell_length), skip_if(BPF_JNE, r3, state_listen, tell_length)};
  tell_and_return(c, ring, 0);
  attachment made{load_program(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, c), {}};
  if (!made.program) return base::fail_errno("BPF program");
  static constexpr const char* name = "inet_sock_set_state";
  made.link.reset(call_bpf(BPF_RAW_TRACEPOINT_OPEN, [&](bpf_attr& a) {
    a.raw_tracepoint.name = reinterpret_cast<std::uintptr_t>(name);
    a.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(made.program.get());
  }));
  if (!made.link) return base::fail_errno("tracepoint inet_sock_set_state");
  return made;
}

base::result<attachment> tell_udp_binds(int ring, bool v6, std::uint16_t first, std::uint16_t last) {
  code c{load(BPF_W, r2, r1, offsetof(bpf_sock, protocol)), load(BPF_W, r3, r1, offsetof(bpf_sock, src_port)),
         skip_if(BPF_JNE, r2, IPPROTO_UDP, 2 + tell_length), skip_if(BPF_JLT, r3, first, 1),
         skip_if(BPF_JLE, r3, last, tell_length)};
  tell_and_return(c, ring, 1);
  const auto where = v6 ? BPF_CGROUP_INET6_POST_BIND : BPF_CGROUP_INET4_POST_BIND;
  attachment made{load_program(BPF_PROG_TYPE_CGROUP_SOCK, where, c), {}};
  if (!made.program) return base::fail_errno("BPF program");
  const auto root = open_root_group();
  if (!root) return base::fail_errno("cgroup2");
  made.link.reset(call_bpf(BPF_LINK_CREATE, [&](bpf_attr& a) {
    a.link_create.prog_fd = static_cast<std::uint32_t>(made.program.get());
    a.link_create.target_fd = static_cast<std::uint32_t>(root.get());
    a.link_create.attach_type = where;
  }));
  if (!made.link) return base::fail_errno("BPF program for binds");
  return made;
}

}  // namespace bpf
