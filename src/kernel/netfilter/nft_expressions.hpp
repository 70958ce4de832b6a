// nft_expressions: what the expressions of one nftables rule say, as far as DNAT goes. Each loads a register, compares
// one, or acts. Understands what iptables-nft, nft and the CNI plugins write: comparisons of header fields, compat
// matches and targets of x_tables, and nat expressions. Everything else makes the rule unclear. Pure.
#pragma once

#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "kernel/netfilter/nft_attributes.hpp"

namespace netfilter {

class nft_expressions {
 public:
  // The rule outlives this reader, and the data of each add() the last one: constants are kept as views.
  nft_expressions(nat_rule& into, family which) : rule_(into), which_(which) {}

  // Adds the next expression, in the rule's order.
  void add(std::string_view name, netlink::bytes_view data);

 private:
  enum class field : std::uint8_t { unknown, family, protocol, destination, port, constant };
  struct content {
    field what = field::unknown;
    netlink::bytes_view value{};  // of a constant
  };

  void add_compat(std::string_view name, const nft_attributes& a);
  void add_meta(const nft_attributes& a);
  void add_payload(const nft_attributes& a);
  void add_comparison(const nft_attributes& a);
  void add_immediate(const nft_attributes& a);
  void add_nat(const nft_attributes& a);

  void set(const nft_attributes& a, int destination, content now);
  [[nodiscard]] content get(const nft_attributes& a, int source) const;
  // The constant in the register that the attribute names; empty if it holds none.
  [[nodiscard]] netlink::bytes_view constant(const nft_attributes& a, int source) const;
  [[nodiscard]] std::size_t address_size() const { return which_ == family::ipv4 ? 4 : 16; }
  [[nodiscard]] net::address address(netlink::bytes_view value) const;

  nat_rule& rule_;
  family which_;
  std::array<content, NFT_REG32_15 + 1> registers_{};
};

}  // namespace netfilter
