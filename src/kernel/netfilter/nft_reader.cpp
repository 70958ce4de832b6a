#include "kernel/netfilter/nft_reader.hpp"

#include <linux/netlink.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/fingerprint.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_dump_codec.hpp"
#include "kernel/netlink/attributes.hpp"
#include "kernel/netlink/nft_generation.hpp"
#include "kernel/netlink/socket.hpp"

namespace netfilter {
namespace {

constexpr std::size_t most_rules = 262'144;  // of one chain: CNI needs three for a port
constexpr std::size_t most_chains = 4'096;
constexpr std::chrono::milliseconds generation_limit{100};

}  // namespace

// In this order: the answer to socket(), to a request, and to a batch of changes (nfnetlink_rcv_batch).
bool is_without_nftables(const base::error& e) {
  return e.code == std::errc::protocol_not_supported || e.code == std::errc::invalid_argument ||
         e.code == std::errc::operation_not_supported;
}

base::result<std::uint32_t> read_nft_generation() {
  auto kernel = netlink::socket::open(NETLINK_NETFILTER);
  if (!kernel) return std::unexpected(kernel.error());
  const netlink::question generation{.request = generation_request(),
                                     .name = "generation of nftables",
                                     .deadline = std::chrono::steady_clock::now() + generation_limit};
  const auto answer = kernel->get(generation);
  if (!answer) return std::unexpected(answer.error());
  const auto found = netlink::parse_nft_generations(*answer);
  if (found.empty()) return base::fail(std::errc::protocol_error, generation.name);
  return found.back().id;
}

base::result<nft_reader> nft_reader::open() {
  auto kernel = netlink::socket::open(NETLINK_NETFILTER);
  if (!kernel) return std::unexpected(kernel.error());
  return nft_reader(std::move(*kernel));
}

base::result<rules_dump> nft_reader::dump(const chain_address& of) {
  const netlink::question rules{
      .request = rules_request(of), .name = "nftables chain " + of.chain, .most_messages = most_rules};
  return kernel_.dump<rules_dump>(
      rules, [&of](netlink::bytes_view datagram, rules_dump& into) { parse_rules(datagram, of.which, into); });
}

base::result<std::vector<nat_rule>> nft_reader::read(const chain_address& of) {
  auto found = dump(of);
  if (!found) return std::unexpected(found.error());
  return std::move(found->rules);
}

base::result<nft_nat_view> read_nft_nat(std::span<const std::string> chains, std::span<const std::string> followed) {
  auto kernel = nft_reader::open();
  if (!kernel) return std::unexpected(kernel.error());
  std::vector<std::string> ahead;
  std::set<std::string> known;
  const auto enqueue = [&](const std::string& name) {
    if (known.size() < most_chains && known.insert(name).second) ahead.push_back(name);
  };
  std::ranges::for_each(followed, enqueue);
  const auto followed_count = ahead.size();
  std::ranges::for_each(chains, enqueue);
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
    if (i < followed_count) std::ranges::for_each(one.jumps, enqueue);
    view.chains.push_back(std::move(one));
  }
  view.fingerprint = all.value();
  return view;
}

}  // namespace netfilter
