// nft_rule_writer: expressions of a rule, in a buffer. They work in register 1. Pure.
#pragma once

#include <linux/netfilter/nf_tables.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nft_message.hpp"

namespace netfilter {

// An expression of a rule's list; `fill` writes its attributes.
template <class Fill>
void append_expression(std::vector<std::byte>& to, std::string_view name, Fill&& fill) {
  const auto element = begin_nest(to, NFTA_LIST_ELEM);
  append_text(to, NFTA_EXPR_NAME, name);
  const auto data = begin_nest(to, NFTA_EXPR_DATA);
  fill();
  end_nest(to, data);
  end_nest(to, element);
}

// Load bytes of a header, or a property of the packet.
void append_payload(std::vector<std::byte>& to, std::uint32_t base, std::uint32_t offset, std::uint32_t size);
void append_meta(std::vector<std::byte>& to, std::uint32_t key);
// Keeps the bits that are set in the mask.
void append_mask(std::vector<std::byte>& to, netlink::bytes_view mask);
void append_comparison(std::vector<std::byte>& to, netlink::bytes_view value, std::uint32_t how = NFT_CMP_EQ);

// Ends the rule: NF_DROP …, or NFT_JUMP to a chain.
void append_verdict(std::vector<std::byte>& to, std::int32_t verdict, std::string_view chain = {});

}  // namespace netfilter
