#include "kernel/netfilter/restore_line.hpp"

#include <linux/netfilter/xt_comment.h>
#include <net/if.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "kernel/netfilter/dnat_rule.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"
#include "net/protocol.hpp"

namespace netfilter {
namespace {

constexpr std::size_t longest_chain = 28;  // XT_EXTENSION_MAXNAMELEN, less its zero

bool is_chain_name(std::string_view name) { return !name.empty() && name.size() <= longest_chain; }

// "eth0". A plus sign at the end stands for any ending.
bool is_device_name(std::string_view name) {
  return !name.empty() && name.size() < IFNAMSIZ && !name.ends_with('+') && name != "*";
}

std::optional<net::cidr> read_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto ip = net::address::parse(text.substr(0, slash));
  if (!ip || !ip->is_v4()) return std::nullopt;
  if (slash == std::string_view::npos) return net::cidr(*ip, 32);
  const auto bits = base::parse_number<unsigned>(text.substr(slash + 1));
  if (!bits || *bits == 0 || *bits > 32) return std::nullopt;
  return net::cidr(*ip, *bits);
}

// "172.17.0.2:80", "172.17.0.2", ":80"
std::optional<appended_rule::destination> read_destination(std::string_view text) {
  appended_rule::destination made;
  const auto colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto port = base::parse_port(text.substr(colon + 1));
    if (!port) return std::nullopt;
    made.port = *port;
  }
  const auto ip = text.substr(0, colon);
  if (ip.empty()) return made.port == 0 ? std::nullopt : std::optional(made);
  made.ip = net::address::parse(ip);
  return made.ip && made.ip->is_v4() ? std::optional(made) : std::nullopt;
}

// Reads each option once, matches in the order in which this program writes them.
class rule_reader {
 public:
  rule_reader(std::vector<std::string_view> words, appended_rule& into) : words_(std::move(words)), rule_(into) {}

  bool read() {
    while (at_ < words_.size())
      if (ended_ || !read_option(take())) return false;
    return ended_;
  }

 private:
  // Empty at the end: no option, and no value of one.
  std::string_view take() { return at_ < words_.size() ? words_[at_++] : std::string_view{}; }
  bool take_if(std::string_view wanted) {
    if (at_ == words_.size() || words_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool read_option(std::string_view name) {
    if (name == "!") return take_if("-i") && read_device(true);
    if (name == "-i") return read_device(false);
    if (name == "-s") return read_once(rule_.from, read_network(take()));
    if (name == "-d") return read_once(rule_.to, read_network(take()));
    if (name == "-p") return read_protocol();
    if (name == "-m") return read_match(take());
    if (name == "-j") return read_target(take());
    return false;
  }
  template <class T>
  static bool read_once(std::optional<T>& into, std::optional<T> value) {
    if (into || !value) return false;
    into = std::move(value);
    return true;
  }
  bool read_device(bool negated) {
    const auto name = take();
    return is_device_name(name) && read_once(rule_.in, std::optional(appended_rule::device{name, negated}));
  }
  bool read_protocol() {
    const auto protocol = net::parse_protocol(take());
    return protocol != net::protocol::sctp && read_once(rule_.protocol, protocol);
  }

  bool read_match(std::string_view name) {
    if (!rule_.comment.empty()) return false;
    if (name == "comment") return read_comment();
    if (!rule_.protocol || name != net::to_string(*rule_.protocol) || rule_.port != 0) return false;
    const auto port = take_if("--dport") ? base::parse_port(take()) : std::nullopt;
    rule_.port = port.value_or(0);
    return port && read_flags();
  }
  bool read_flags() {
    if (rule_.protocol != net::protocol::tcp || !take_if(new_connections[0])) return true;
    rule_.new_connections = true;
    return take_if(new_connections[1]) && take_if(new_connections[2]);
  }
  bool read_comment() {
    if (!take_if("--comment")) return false;
    rule_.comment = take();
    return !rule_.comment.empty() && rule_.comment.size() < XT_MAX_COMMENT_LEN;
  }

  bool read_target(std::string_view name) {
    ended_ = true;
    if (name != "DNAT") {
      rule_.jump = name;
      return is_chain_name(name);
    }
    return rule_.protocol && take_if("--to-destination") && read_once(rule_.dnat, read_destination(take()));
  }

  std::vector<std::string_view> words_;
  appended_rule& rule_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

// A quoted word may have spaces.
bool is_plain(std::string_view line) { return line.find_first_of("\"'\\") == std::string_view::npos; }

}  // namespace

std::optional<std::string_view> read_new_chain(std::string_view line) {
  constexpr std::string_view without_policy = " -";
  if (!line.starts_with(':') || !line.ends_with(without_policy) || !is_plain(line)) return std::nullopt;
  const auto name = line.substr(1, line.size() - 1 - without_policy.size());
  const bool one_word = name.find(' ') == std::string_view::npos;
  return one_word && is_chain_name(name) ? std::optional(name) : std::nullopt;
}

std::optional<appended_rule> read_appended_rule(std::string_view line) {
  if (!is_plain(line)) return std::nullopt;
  auto words = base::split(line, ' ');
  if (words.size() < 2 || words[0] != "-A" || !is_chain_name(words[1])) return std::nullopt;
  appended_rule made;
  made.chain = words[1];
  words.erase(words.begin(), words.begin() + 2);
  return rule_reader(std::move(words), made).read() ? std::optional(made) : std::nullopt;
}

}  // namespace netfilter
