#include "kernel/netfilter/nft_removal.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/unique_fd.hpp"

namespace netfilter {
namespace {

constexpr const char* what = "nftables, taking rules out";
constexpr std::size_t rules_at_once = 1'000;
constexpr int send_buffer = 1 << 20;  // the kernel takes a request whole or not at all
constexpr timeval patience{.tv_sec = 2, .tv_usec = 0};

base::result<> remove_at_once(int fd, std::string_view table, std::span<const rule_place> rules) {
  const auto request = removal_request(table, rules);
  if (::send(fd, request.data(), request.size(), 0) < 0) return base::fail_errno(what);
  removal_answer answer;
  std::array<std::byte, 32'768> buffer;
  while (!answer.done) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno(what);
    parse_removal_answer(std::span(buffer).first(static_cast<std::size_t>(got)), rules.size(), answer);
  }
  if (answer.error != 0) return base::fail(std::error_code(answer.error, std::system_category()), what);
  return {};
}

}  // namespace

base::result<pid_t> remove_nft_rules(std::string_view table, std::span<const rule_place> rules) {
  const base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return base::fail_errno("netfilter socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
  while (!rules.empty()) {
    const auto now = rules.first(std::min(rules.size(), rules_at_once));
    if (auto done = remove_at_once(fd.get(), table, now); !done) return std::unexpected(done.error());
    rules = rules.subspan(now.size());
  }
  return ::gettid();
}

}  // namespace netfilter
