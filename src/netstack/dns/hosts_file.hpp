// hosts_file: names and addresses of a text like /etc/hosts (hosts(5)). A value; the shell parses the file again when
// it changes. Malformed lines, addresses and names are skipped, as in the C library.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "net/address.hpp"
#include "netstack/dns/name.hpp"

namespace netstack::dns {

class hosts_file {
 public:
  // A longer text is cut at the end of a line; names beyond the bound are left out.
  static constexpr std::size_t most_bytes = std::size_t{4} << 20U;
  static constexpr std::size_t most_names = 100'000;
  // Addresses per name, and names per address: block lists give one address to thousands of names.
  static constexpr std::size_t most_of_one = 32;

  static hosts_file parse(std::string_view text);

  // In the file's order, of both families. Empty: the name is not in the file.
  [[nodiscard]] const std::vector<net::address>& addresses_of(const name& host) const;
  // The first name of each line of the address.
  [[nodiscard]] const std::vector<name>& names_of(const net::address& address) const;

 private:
  void add_line(std::string_view line);

  std::map<name, std::vector<net::address>> by_name_;
  std::map<net::address, std::vector<name>> by_address_;
  std::size_t names_ = 0;
};

}  // namespace netstack::dns
