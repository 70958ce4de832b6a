#include "programs/host_switch/subnet.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cstring>

#include "base/text.hpp"

namespace host_switch {
namespace {

std::uint32_t to_number(const net::address& v4) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, v4.data(), sizeof bytes);
  return ::ntohl(bytes);
}

net::address to_address(std::uint32_t number) {
  const auto bytes = ::htonl(number);
  return net::address::v4(&bytes);
}

}  // namespace

base::result<subnet> subnet::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto given = net::address::parse(text.substr(0, slash));
  const auto bits =
      slash == std::string_view::npos ? std::nullopt : base::parse_number<unsigned>(text.substr(slash + 1));
  if (!given || !given->is_v4() || !bits || *bits == 0 || *bits > 30)
    return base::fail("not an IPv4 subnet like 192.168.127.0/24");
  subnet made(0, *bits);
  made.network_ = to_number(*given) & ~made.host_mask();
  return made;
}

net::address subnet::gateway() const { return to_address(network_ + 1); }

bool subnet::is_host_alias(const net::address& ip) const {
  constexpr std::uint32_t host = 254;
  return contains(ip) && (to_number(ip) & host_mask()) == host;
}

bool subnet::contains(const net::address& ip) const {
  if (!ip.is_v4()) return false;
  const auto number = to_number(ip);
  const auto host = number & host_mask();
  return (number & ~host_mask()) == network_ && host != 0 && host != host_mask();
}

std::string subnet::to_string() const { return fmt::format("{}/{}", to_address(network_).to_string(), bits_); }

}  // namespace host_switch
