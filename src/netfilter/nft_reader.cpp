#include "netfilter/nft_reader.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <chrono>
#include <set>

#include "netfilter/fingerprint.hpp"

namespace netfilter {
namespace {

constexpr std::chrono::milliseconds limit{500};
constexpr std::size_t most_rules = 262'144;  // of one chain: a port takes CNI three
constexpr int attempts = 5;
constexpr std::size_t most_chains = 4'096;

}  // namespace

base::result<nft_reader> nft_reader::open() {
  base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return base::fail_errno("netfilter socket");
  const timeval wait{.tv_sec = 0, .tv_usec = std::chrono::microseconds(limit).count()};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  return nft_reader(std::move(fd));
}

base::result<rules_dump> nft_reader::read_once(const chain_address& of) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto request = rules_request(of);
  if (::send(fd_.get(), request.data(), request.size(), 0) < 0) return base::fail_errno("nftables, asking for rules");
  rules_dump found;
  std::array<std::byte, 65'536> buffer;
  while (!found.done) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return base::fail_errno("nftables, reading rules");
    parse_rules(std::span(buffer).first(static_cast<std::size_t>(got)), of.which, found);
    if (found.rules.size() > most_rules) return base::fail("nftables: too many rules in chain " + of.chain);
    if (std::chrono::steady_clock::now() > deadline) return base::fail(std::errc::timed_out, "nftables, reading rules");
  }
  return found;
}

base::result<rules_dump> nft_reader::dump(const chain_address& of) {
  for (int i = 0; i < attempts; ++i) {
    auto found = read_once(of);
    if (!found) return std::unexpected(found.error());
    if (found->error != 0)
      return base::fail(std::error_code(found->error, std::system_category()), "nftables, chain " + of.chain);
    if (!found->interrupted) return found;
  }
  return base::fail(std::errc::resource_unavailable_try_again, "nftables, chain " + of.chain + " keeps changing");
}

base::result<std::vector<nat_rule>> nft_reader::read(const chain_address& of) {
  auto found = dump(of);
  if (!found) return std::unexpected(found.error());
  return std::move(found->rules);
}

std::optional<std::uint64_t> nft_nat_fingerprint(std::span<const std::string> chains,
                                                 std::span<const std::string> followed) {
  auto kernel = nft_reader::open();
  if (!kernel) return std::nullopt;
  std::vector<std::string> ahead(followed.begin(), followed.end());
  ahead.insert(ahead.end(), chains.begin(), chains.end());
  std::set<std::string> known(ahead.begin(), ahead.end());
  fingerprint all;
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    const auto found = kernel->dump({family::ipv4, "nat", ahead[i]});
    if (!found) return std::nullopt;
    all.add(found->fingerprint);
    if (i >= followed.size()) continue;
    for (const auto& r : found->rules)
      if (!r.jump.empty() && known.size() < most_chains && known.insert(r.jump).second) ahead.push_back(r.jump);
  }
  return all.value();
}

}  // namespace netfilter
