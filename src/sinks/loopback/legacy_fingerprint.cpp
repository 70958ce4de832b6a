#include "sinks/loopback/legacy_fingerprint.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

// Behind <netinet/in.h>, which it otherwise contradicts.
#include <linux/netfilter_ipv4/ip_tables.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"

namespace loopback {
namespace {

constexpr std::size_t largest_table = 64 << 20;

// The kernel's ipt_get_entries without the entries, which follow it.
struct alignas(ipt_entry) entries_head {
  char name[XT_TABLE_MAXNAMELEN];
  unsigned size;
};

// FNV-1a, eight bytes at a time.
struct hash {
  std::uint64_t value = 0xcbf29ce484222325;
  void add(std::span<const std::byte> bytes) {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
      std::uint64_t word{};
      std::memcpy(&word, bytes.data(), sizeof word);
      value = (value ^ word) * 0x100000001b3;
    }
    for (const auto b : bytes) value = (value ^ static_cast<std::uint64_t>(b)) * 0x100000001b3;
  }
};

// `comefrom` and the counters change with the traffic.
std::uint64_t fingerprint(std::span<const std::byte> entries) {
  hash h;
  while (entries.size() >= sizeof(ipt_entry)) {
    ipt_entry entry{};
    std::memcpy(&entry, entries.data(), sizeof entry);
    if (entry.next_offset < sizeof entry || entry.next_offset > entries.size()) break;
    h.add(entries.first(offsetof(ipt_entry, comefrom)));
    h.add(entries.first(entry.next_offset).subspan(sizeof entry));
    entries = entries.subspan(entry.next_offset);
  }
  return h.value;
}

}  // namespace

std::optional<std::uint64_t> legacy_nat_fingerprint() {
  const base::unique_fd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  ipt_getinfo info{};
  std::strcpy(info.name, "nat");
  socklen_t size = sizeof info;
  if (!fd || ::getsockopt(fd.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) != 0 || info.size > largest_table)
    return std::nullopt;
  entries_head head{};
  std::strcpy(head.name, "nat");
  head.size = info.size;
  std::vector<std::byte> table(sizeof head + info.size);
  std::memcpy(table.data(), &head, sizeof head);
  size = static_cast<socklen_t>(table.size());
  if (::getsockopt(fd.get(), IPPROTO_IP, IPT_SO_GET_ENTRIES, table.data(), &size) != 0) return std::nullopt;
  return fingerprint(std::span<const std::byte>(table).subspan(sizeof head));
}

}  // namespace loopback
