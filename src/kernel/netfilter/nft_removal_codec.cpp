#include "kernel/netfilter/nft_removal_codec.hpp"

#include <endian.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_attributes.hpp"
#include "kernel/netfilter/nft_message.hpp"

namespace netfilter {

std::vector<std::byte> removal_request(std::string_view table, std::span<const rule_place> rules) {
  return in_transaction([&](std::vector<std::byte>& made) {
    std::uint32_t sequence = 0;
    for (const auto& r : rules) {
      const bool last = ++sequence == rules.size();
      const auto handle = htobe64(r.handle);
      const auto begin = begin_message(made, message_type(NFT_MSG_DELRULE), last ? NLM_F_ACK : 0, sequence,
                                       {protocol_number(family::ipv4), 0, 0});
      append_text(made, NFTA_RULE_TABLE, table);
      append_text(made, NFTA_RULE_CHAIN, r.chain);
      append(made, NFTA_RULE_HANDLE, std::as_bytes(std::span(&handle, 1)), sizeof handle);
      end_message(made, begin);
    }
  });
}

}  // namespace netfilter
