#include "kernel/netfilter/nft_reader.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "kernel/netfilter/fingerprint.hpp"

namespace netfilter {
namespace {

constexpr std::chrono::milliseconds limit{500};
constexpr std::size_t most_rules = 262'144;  // of one chain: a port takes CNI three
constexpr int attempts = 5;
constexpr std::size_t most_chains = 4'096;

}  // namespace

bool is_without_nftables(const base::error& e) {
  return e.code == std::errc::protocol_not_supported || e.code == std::errc::invalid_argument;
}

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

base::result<nft_nat_view> look_at_nft_nat(std::span<const std::string> chains, std::span<const std::string> followed) {
  auto kernel = nft_reader::open();
  if (!kernel) return std::unexpected(kernel.error());
  std::vector<std::string> ahead;
  std::set<std::string> known;
  const auto look_at = [&](const std::string& name) {
    if (known.size() < most_chains && known.insert(name).second) ahead.push_back(name);
  };
  std::ranges::for_each(followed, look_at);
  const auto followed_count = ahead.size();
  std::ranges::for_each(chains, look_at);
  nft_nat_view view;
  fingerprint all;
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    auto found = kernel->dump({family::ipv4, "nat", ahead[i]});
    if (!found) return std::unexpected(found.error());
    all.add(found->fingerprint);
    if (found->rules.empty()) continue;
    nft_nat_view::chain one{ahead[i], std::move(found->handles), {}};
    for (auto& r : found->rules)
      if (!r.jump.empty()) one.jumps.push_back(std::move(r.jump));
    if (i < followed_count) std::ranges::for_each(one.jumps, look_at);
    view.chains.push_back(std::move(one));
  }
  view.fingerprint = all.value();
  return view;
}

}  // namespace netfilter
