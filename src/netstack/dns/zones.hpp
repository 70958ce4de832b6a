// zones: the names that the virtual network defines itself. Owned by the server; fixed once the program runs. Questions
// about a zone never go to an upstream.
//
// rancher-desktop.internal and docker.internal have `gateway` and, if the subnet has that address, `host`. More come
// from the flag -dns-zone, which may be repeated:
//   -dns-zone registry.docker.internal=192.168.127.2   adds a name to an existing zone
//   -dns-zone printer.example=10.0.0.7                 the name is a zone of its own: names below it do not exist,
//                                                      names beside it are the upstream's
//   -dns-zone *.example=10.0.0.7                       a zone with this address for every name not given otherwise
// A name that is given twice has both addresses.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "netstack/dns/name.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::dns {

class zones {
 public:
  zones(ipv4::address gateway, std::optional<ipv4::address> host);

  // Adds the value of one -dns-zone. An error is for the user.
  base::result<> add(std::string_view flag);

  struct match {
    const name* zone = nullptr;
    bool exists = false;  // the name has addresses, is the zone's, or has names below it
    std::span<const ipv4::address> addresses;
  };
  // nullopt: the name is in no zone. Of nested zones, the inner one counts. Valid until the next add().
  [[nodiscard]] std::optional<match> find(const name& asked) const;

 private:
  struct entry {
    name owner;
    std::vector<ipv4::address> addresses;
  };
  struct zone {
    name apex;
    std::vector<entry> entries;
    std::vector<ipv4::address> any_name;
  };

  [[nodiscard]] const zone* zone_of(const name& asked) const;
  zone& zone_at(const name& apex);  // created if missing

  std::vector<zone> all_;
};

}  // namespace netstack::dns
