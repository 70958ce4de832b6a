#include "kernel/netfilter/legacy_codec.hpp"

#include <netinet/in.h>

// Behind <netinet/in.h>, which they otherwise contradict.
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/fingerprint.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/xt_codec.hpp"
#include "kernel/netlink/attributes.hpp"
#include "net/address.hpp"

namespace netfilter {
namespace {

using netlink::bytes_view;
using netlink::read;

bool is_all(bytes_view bytes, std::byte value) {
  return std::ranges::all_of(bytes, [value](std::byte b) { return b == value; });
}
template <class T>
bytes_view bytes_of(const T& object) {
  return {reinterpret_cast<const std::byte*>(&object), sizeof object};
}

// Like netlink::read(), for kernel types with a flexible array member: std::optional cannot hold those.
template <class T>
bool load(bytes_view bytes, T& into) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&into, bytes.data(), sizeof(T));
  return true;
}

// The two families' entries behind one interface.
struct v4_layout {
  using entry = ipt_entry;
  static constexpr auto which = family::ipv4;
  static bytes_view source_mask(const entry& e) { return bytes_of(e.ip.smsk); }
  static bytes_view mask(const entry& e) { return bytes_of(e.ip.dmsk); }
  static net::address destination(const entry& e) { return net::address::v4(&e.ip.dst); }
  static bool has_interface(const entry& e) { return e.ip.iniface[0] != 0 || e.ip.outiface[0] != 0; }
  static bool has_flags(const entry& e) { return (e.ip.flags & ~unsigned{IPT_F_GOTO}) != 0 || e.ip.invflags != 0; }
  static unsigned protocol(const entry& e) { return e.ip.proto; }
};
struct v6_layout {
  using entry = ip6t_entry;
  static constexpr auto which = family::ipv6;
  static bytes_view source_mask(const entry& e) { return bytes_of(e.ipv6.smsk); }
  static bytes_view mask(const entry& e) { return bytes_of(e.ipv6.dmsk); }
  static net::address destination(const entry& e) { return net::address::v6(&e.ipv6.dst); }
  static bool has_interface(const entry& e) { return e.ipv6.iniface[0] != 0 || e.ipv6.outiface[0] != 0; }
  static bool has_flags(const entry& e) {
    constexpr unsigned harmless = IP6T_F_PROTO | IP6T_F_GOTO;
    return (e.ipv6.flags & ~harmless) != 0 || e.ipv6.invflags != 0;
  }
  static unsigned protocol(const entry& e) { return e.ipv6.proto; }
};

// visit(offset, entry, all of its bytes). False if the table is malformed.
template <class Entry, class Visit>
bool for_each_entry(bytes_view table, Visit&& visit) {
  for (std::size_t at = 0; at < table.size();) {
    Entry e{};
    if (!load(table.subspan(at), e) || e.next_offset < sizeof(Entry) || e.next_offset > table.size() - at ||
        e.target_offset < sizeof(Entry) || e.target_offset > e.next_offset)
      return false;
    visit(at, e, table.subspan(at, e.next_offset));
    at += e.next_offset;
  }
  return true;
}

// A match or a target in an entry: a head, and the data of the extension with that name.
struct extension {
  std::size_t size = 0;
  std::string_view name;
  unsigned revision = 0;
  bytes_view info;
};

std::optional<extension> read_extension(bytes_view at) {
  xt_entry_match head{};  // a target has the same layout
  if (!load(at, head) || head.u.user.match_size < sizeof head || head.u.user.match_size > at.size())
    return std::nullopt;
  const auto name = at.subspan(offsetof(xt_entry_match, u.user.name), sizeof head.u.user.name);
  return extension{head.u.user.match_size, text_of(name), head.u.user.revision,
                   at.first(head.u.user.match_size).subspan(sizeof head)};
}

template <class Layout>
class table_parser {
 public:
  using entry = typename Layout::entry;
  table_parser(bytes_view table, std::span<const std::string_view> prefixes) : table_(table), prefixes_(prefixes) {}

  base::result<std::vector<nat_chain>> run() {
    const bool sound = for_each_entry<entry>(table_, [this](std::size_t at, const entry& e, bytes_view all) {
      if (const auto head = chain_head(e, all)) heads_.emplace(at + e.next_offset, *head);
    });
    // The last entry is a chain's head without a chain.
    const bool whole = table_.empty() || heads_.contains(table_.size());
    if (!sound || !whole) return base::fail("iptables-legacy: malformed table");
    for (const auto& [first, name] : heads_) {
      const bool wanted = std::ranges::any_of(prefixes_, [&](auto prefix) { return name.starts_with(prefix); });
      if (!wanted) continue;
      chains_.push_back({std::string(name), {}});
      read_chain(first);
    }
    return std::move(chains_);
  }

 private:
  // Each user-defined chain begins with an entry whose target is "ERROR" and has the chain's name.
  static std::optional<std::string_view> chain_head(const entry& e, bytes_view all) {
    const auto target = read_extension(all.subspan(e.target_offset));
    if (!target || target->name != XT_ERROR_TARGET) return std::nullopt;
    return text_of(target->info);
  }

  // Ends at the next chain's head. The entry before that is the chain's RETURN, which jumps nowhere.
  void read_chain(std::size_t first) {
    const auto next = heads_.upper_bound(first);
    const auto end = next == heads_.end() ? table_.size() : next->first;
    for_each_entry<entry>(table_.subspan(first, end - first), [this](std::size_t, const entry& e, bytes_view all) {
      auto rule = read_rule(e, all);
      if (rule.target || !rule.jump.empty()) chains_.back().rules.push_back(std::move(rule));
    });
  }

  nat_rule read_rule(const entry& e, bytes_view all) const {
    nat_rule r;
    const auto mask = Layout::mask(e);
    if (is_all(mask, std::byte{0xff}))
      r.destination = Layout::destination(e);
    else if (!is_all(mask, std::byte{0}))
      r.doubt("a destination network");
    if (!is_all(Layout::source_mask(e), std::byte{0})) r.doubt("a source address");
    if (Layout::has_interface(e)) r.doubt("an interface");
    if (Layout::has_flags(e)) r.doubt("a negation");
    read_protocol(r, Layout::protocol(e));
    read_matches(r, all.first(e.target_offset).subspan(sizeof(entry)));
    read_target_of(r, all.subspan(e.target_offset));
    return r;
  }

  static void read_matches(nat_rule& into, bytes_view matches) {
    while (!matches.empty()) {
      const auto m = read_extension(matches);
      if (!m) return into.doubt("malformed");
      read_match(into, m->name, m->revision, m->info);
      matches = matches.subspan(m->size);
    }
  }

  void read_target_of(nat_rule& into, bytes_view at) const {
    const auto target = read_extension(at);
    if (!target) return into.doubt("malformed");
    if (!target->name.empty())  // XT_STANDARD_TARGET, a verdict or a jump, has no name
      return read_target(into, target->name, target->revision, target->info, Layout::which);
    const auto verdict = read<int>(target->info).value_or(-1);
    const auto chain = heads_.find(static_cast<std::size_t>(std::max(verdict, 0)));
    if (verdict > 0 && chain != heads_.end()) into.jump = chain->second;
  }

  bytes_view table_;
  std::span<const std::string_view> prefixes_;
  std::map<std::size_t, std::string_view> heads_;  // where a chain's first rule is → its name
  std::vector<nat_chain> chains_;
};

// `comefrom` and the counters change with the traffic.
template <class Entry>
std::uint64_t fingerprint_of(bytes_view table) {
  fingerprint h;
  for_each_entry<Entry>(table, [&h](std::size_t, const Entry&, bytes_view all) {
    h.add(all.first(offsetof(Entry, comefrom)));
    h.add(all.subspan(sizeof(Entry)));
  });
  return h.value();
}

}  // namespace

base::result<std::vector<nat_chain>> parse_legacy_table(bytes_view entries, family which,
                                                        std::span<const std::string_view> prefixes) {
  return which == family::ipv4 ? table_parser<v4_layout>(entries, prefixes).run()
                               : table_parser<v6_layout>(entries, prefixes).run();
}

std::uint64_t fingerprint_legacy_table(bytes_view entries, family which) {
  return which == family::ipv4 ? fingerprint_of<ipt_entry>(entries) : fingerprint_of<ip6t_entry>(entries);
}

}  // namespace netfilter
