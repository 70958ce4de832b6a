#include "http/server_address.hpp"

#include "base/plain_name.hpp"
#include "base/text.hpp"
#include "net/stream_address.hpp"

namespace http {
namespace {

// It goes into the Host header as it is: no character may end a line or begin another field.
bool is_host_name(std::string_view text) {
  constexpr std::size_t longest = 253;  // DNS
  return base::is_plain_name(text, longest);
}

bool is_v6(std::string_view text) {
  const auto parsed = net::address::parse(text);
  return parsed && text.find(':') != std::string_view::npos;
}

base::result<server_address> parse_authority(std::string_view text, std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return base::fail("address \"" + base::printable(url) + "\": " + std::string(why));
  };
  server_address made;
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == std::string_view::npos) return wrong("missing ]");
  made.host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  if (made.host.empty()) return wrong("no host");
  if (bracketed ? !is_v6(made.host) : !is_host_name(made.host)) return wrong("bad host");
  auto rest = end == std::string_view::npos ? std::string_view{} : text.substr(bracketed ? end + 1 : end);
  if (rest.empty()) return made;
  const auto port = rest.starts_with(':') ? base::parse_port(rest.substr(1)) : std::nullopt;
  if (!port) return wrong("bad port");
  made.port = *port;
  return made;
}

}  // namespace

base::result<server_address> parse_server_address(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos)
    return base::fail("address \"" + base::printable(url) + "\": no scheme (unix://, tcp:// or http://)");
  const auto scheme = url.substr(0, scheme_end);
  auto rest = url.substr(scheme_end + 3);
  if (scheme == "unix") {
    if (!rest.starts_with('/'))
      return base::fail("address \"" + base::printable(url) + "\": the path must be absolute");
    if (rest.size() > net::longest_unix_path)
      return base::fail("address \"" + base::printable(url) + "\": the path is longer than 107 bytes");
    return server_address{.path = std::string(rest)};
  }
  if (scheme != "tcp" && scheme != "http")
    return base::fail("address \"" + base::printable(url) + "\": unknown scheme");
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != std::string_view::npos)
    return base::fail("address \"" + base::printable(url) + "\": no path is allowed");
  return parse_authority(rest, url);
}

std::string to_string(const server_address& address) {
  if (!address.path.empty()) return "unix://" + address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace http
