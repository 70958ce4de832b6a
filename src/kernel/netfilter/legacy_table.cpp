#include "kernel/netfilter/legacy_table.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

// Behind <netinet/in.h>, which they otherwise contradict.
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netfilter/legacy_codec.hpp"
#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {
namespace {

constexpr std::size_t largest_table = 64 << 20;
constexpr int attempts = 5;
constexpr const char* context = "iptables-legacy, reading the table";

static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo) && IPT_SO_GET_INFO == IP6T_SO_GET_INFO &&
              IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);

// The kernel's ipt_get_entries without the entries, which follow it.
struct alignas(ipt_entry) entries_head {
  char name[XT_TABLE_MAXNAMELEN];
  unsigned size;
};

class table_socket {
 public:
  explicit table_socket(family which)
      : level_(which == family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6),
        fd_(::socket(which == family::ipv4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)) {}

  [[nodiscard]] base::result<ipt_getinfo> info() const {
    if (!fd_) return base::fail_errno(context);
    ipt_getinfo found{};
    std::strcpy(found.name, "nat");
    socklen_t size = sizeof found;
    if (::getsockopt(fd_.get(), level_, IPT_SO_GET_INFO, &found, &size) != 0) return base::fail_errno(context);
    if (found.size > largest_table) return base::fail("iptables-legacy: the table is too large");
    return found;
  }

  // The entries. EAGAIN if the table has another size by now.
  [[nodiscard]] base::result<std::vector<std::byte>> entries(unsigned bytes) const {
    entries_head head{};
    std::strcpy(head.name, "nat");
    head.size = bytes;
    std::vector<std::byte> table(sizeof head + bytes);
    std::memcpy(table.data(), &head, sizeof head);
    auto size = static_cast<socklen_t>(table.size());
    if (::getsockopt(fd_.get(), level_, IPT_SO_GET_ENTRIES, table.data(), &size) != 0) return base::fail_errno(context);
    table.erase(table.begin(), table.begin() + sizeof head);
    return table;
  }

 private:
  int level_;
  base::unique_fd fd_;
};

base::result<std::vector<std::byte>> read_entries(family which) {
  const table_socket socket(which);
  auto last = base::result<std::vector<std::byte>>{};
  for (int i = 0; i < attempts; ++i) {
    const auto info = socket.info();
    if (!info) return std::unexpected(info.error());
    last = socket.entries(info->size);
    if (last || last.error().code != std::errc::resource_unavailable_try_again) break;
  }
  return last;
}

}  // namespace

base::result<bool> has_legacy_nat(family which) { return has_legacy_table(which, "nat"); }

// Without /proc the list of tables is absent as well, and says nothing about the kernel.
base::result<bool> has_legacy_table(family which, std::string_view name) {
  constexpr const char* directory = "/proc/thread-self/net";
  const char* const names =
      which == family::ipv4 ? "/proc/thread-self/net/ip_tables_names" : "/proc/thread-self/net/ip6_tables_names";
  const base::unique_fd fd(::open(names, O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT)
    return ::access(directory, F_OK) == 0 ? base::result<bool>(false) : base::fail_errno(directory);
  if (!fd) return base::fail_errno(names);
  std::array<char, 1024> text{};
  const auto got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return base::fail_errno(names);
  const auto lines = base::split({text.data(), static_cast<std::size_t>(got)}, '\n');
  return std::ranges::find(lines, name) != lines.end();
}

base::result<std::optional<legacy_size>> size_of_legacy_nat(family which) {
  const auto there = has_legacy_nat(which);
  if (!there) return std::unexpected(there.error());
  if (!*there) return std::nullopt;
  const auto info = table_socket(which).info();
  if (!info) return std::unexpected(info.error());
  return legacy_size{info->size, info->num_entries};
}

base::result<std::vector<nat_chain>> read_legacy_nat(family which, std::span<const std::string_view> prefixes) {
  const auto there = has_legacy_nat(which);
  if (!there) return std::unexpected(there.error());
  if (!*there) return {};
  const auto entries = read_entries(which);
  if (!entries) return std::unexpected(entries.error());
  return parse_legacy_table(*entries, which, prefixes);
}

base::result<std::uint64_t> legacy_nat_fingerprint() {
  const auto entries = read_entries(family::ipv4);
  if (!entries) return std::unexpected(entries.error());
  return fingerprint_legacy_table(*entries, family::ipv4);
}

}  // namespace netfilter
