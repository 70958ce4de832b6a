#include "kernel/netfilter/nft_rule_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {

using bytes = std::vector<std::byte>;

namespace {

void append_data(bytes& to, std::uint16_t type, netlink::bytes_view value) {
  const auto data = begin_nest(to, type);
  append(to, NFTA_DATA_VALUE, value, value.size());
  end_nest(to, data);
}

}  // namespace

void append_payload(bytes& to, std::uint32_t base, std::uint32_t offset, std::uint32_t size) {
  append_expression(to, "payload", [&] {
    append_number(to, NFTA_PAYLOAD_DREG, NFT_REG_1);
    append_number(to, NFTA_PAYLOAD_BASE, base);
    append_number(to, NFTA_PAYLOAD_OFFSET, offset);
    append_number(to, NFTA_PAYLOAD_LEN, size);
  });
}

void append_meta(bytes& to, std::uint32_t key) {
  append_expression(to, "meta", [&] {
    append_number(to, NFTA_META_DREG, NFT_REG_1);
    append_number(to, NFTA_META_KEY, key);
  });
}

void append_mask(bytes& to, netlink::bytes_view mask) {
  const bytes unchanged(mask.size());
  append_expression(to, "bitwise", [&] {
    append_number(to, NFTA_BITWISE_SREG, NFT_REG_1);
    append_number(to, NFTA_BITWISE_DREG, NFT_REG_1);
    append_number(to, NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
    append_data(to, NFTA_BITWISE_MASK, mask);
    append_data(to, NFTA_BITWISE_XOR, unchanged);
  });
}

void append_comparison(bytes& to, netlink::bytes_view value, std::uint32_t how) {
  append_expression(to, "cmp", [&] {
    append_number(to, NFTA_CMP_SREG, NFT_REG_1);
    append_number(to, NFTA_CMP_OP, how);
    append_data(to, NFTA_CMP_DATA, value);
  });
}

void append_verdict(bytes& to, std::int32_t verdict, std::string_view chain) {
  append_expression(to, "immediate", [&] {
    append_number(to, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    const auto data = begin_nest(to, NFTA_IMMEDIATE_DATA);
    const auto inner = begin_nest(to, NFTA_DATA_VERDICT);
    append_number(to, NFTA_VERDICT_CODE, static_cast<std::uint32_t>(verdict));
    if (!chain.empty()) append_text(to, NFTA_VERDICT_CHAIN, chain);
    end_nest(to, inner);
    end_nest(to, data);
  });
}

}  // namespace netfilter
