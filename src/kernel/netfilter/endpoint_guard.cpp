#include "kernel/netfilter/endpoint_guard.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "kernel/netfilter/nft_reader.hpp"

namespace netfilter {
namespace {

constexpr const char* what = "nftables, the guard's table";
constexpr timeval patience{.tv_sec = 0, .tv_usec = 500'000};

base::result<> transact(const std::vector<std::byte>& request) {
  const base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return base::fail_errno("netfilter socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::send(fd.get(), request.data(), request.size(), 0) < 0) return base::fail_errno(what);
  removal_answer answer;  // any transaction is acknowledged in the same way
  std::array<std::byte, 8'192> buffer;
  while (!answer.done) {
    const auto got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno(what);
    parse_removal_answer(std::span(buffer).first(static_cast<std::size_t>(got)), guard_acknowledged, answer);
  }
  if (answer.error != 0) return base::fail(std::error_code(answer.error, std::system_category()), what);
  return {};
}

}  // namespace

base::result<bool> endpoint_guard::is_up() const {
  auto kernel = nft_reader::open();
  if (!kernel) return std::unexpected(kernel.error());
  const auto rules = kernel->read({rule_.which(), rule_.table, std::string(rule_.chain())});
  if (!rules) return std::unexpected(rules.error());
  const auto comments = rule_.comments();
  if (!std::ranges::equal(*rules, comments, {}, &nat_rule::comment)) return false;
  return rule_.whose == guarded::for_loopback ||
         (rules->front().port == rule_.refused.port && rules->front().destination == rule_.refused.ip);
}

base::result<> endpoint_guard::ensure() const {
  const auto up = is_up();
  if (!up) return std::unexpected(up.error());
  if (*up) return {};
  auto made = transact(guard_request(rule_, refusal::reset));
  if (!made && made.error().code == std::errc::no_such_file_or_directory)
    made = transact(guard_request(rule_, refusal::drop));
  return made;
}

base::result<> endpoint_guard::remove() const {
  auto removed = transact(guard_removal_request(rule_));
  const bool none = !removed && removed.error().code == std::errc::no_such_file_or_directory;
  return none ? base::result<>{} : removed;
}

}  // namespace netfilter
