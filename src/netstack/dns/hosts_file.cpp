#include "netstack/dns/hosts_file.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "net/address.hpp"
#include "netstack/dns/name.hpp"

namespace netstack::dns {
namespace {

constexpr std::string_view white_space = " \t\r\f\v";

// Takes the next word from the beginning of `line`; empty: there is none.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(white_space), line.size()));
  const auto word = line.substr(0, line.find_first_of(white_space));
  line.remove_prefix(word.size());
  return word;
}

// The value of `key`, or an empty one.
template <class Key, class Value>
const Value& value_of(const std::map<Key, Value>& in, const Key& key) {
  static const Value none;
  const auto found = in.find(key);
  return found == in.end() ? none : found->second;
}

template <class T>
void add_once(std::vector<T>& to, const T& value) {
  if (to.size() < hosts_file::most_of_one && std::ranges::find(to, value) == to.end()) to.push_back(value);
}

}  // namespace

hosts_file hosts_file::parse(std::string_view text) {
  if (text.size() > most_bytes) text = text.substr(0, text.rfind('\n', most_bytes) + 1);
  hosts_file parsed;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    parsed.add_line(line.substr(0, line.find('#')));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return parsed;
}

void hosts_file::add_line(std::string_view line) {
  const auto address = net::address::parse(take_word(line));
  if (!address) return;
  bool first = true;
  for (auto word = take_word(line); !word.empty() && names_ < most_names; word = take_word(line)) {
    const auto host = name::from_text(word);
    if (!host) continue;
    ++names_;
    add_once(by_name_[*host], *address);
    if (first) add_once(by_address_[*address], *host);
    first = false;
  }
}

const std::vector<net::address>& hosts_file::addresses_of(const name& host) const { return value_of(by_name_, host); }

const std::vector<name>& hosts_file::names_of(const net::address& address) const {
  return value_of(by_address_, address);
}

}  // namespace netstack::dns
