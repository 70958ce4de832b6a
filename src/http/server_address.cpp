#include "base/text.hpp"
#include "http/connection.hpp"

namespace http {
namespace {

base::result<server_address> parse_authority(std::string_view text, std::string_view url) {
  server_address made;
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : std::string_view::npos;
  if (bracketed && end == std::string_view::npos) return base::fail("address \"" + base::printable(url) + "\": missing ]");
  const auto colon = text.find(':', bracketed ? end : 0);
  made.host = bracketed ? text.substr(1, end - 1) : text.substr(0, colon);
  if (made.host.empty()) return base::fail("address \"" + base::printable(url) + "\": no host");
  if (colon == std::string_view::npos) return made;
  const auto port = base::parse_port(text.substr(colon + 1));
  if (!port) return base::fail("address \"" + base::printable(url) + "\": bad port");
  made.port = *port;
  return made;
}

}  // namespace

base::result<server_address> parse_server_address(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return base::fail("address \"" + base::printable(url) + "\": no scheme (unix://, tcp:// or http://)");
  const auto scheme = url.substr(0, scheme_end);
  auto rest = url.substr(scheme_end + 3);
  if (scheme == "unix") {
    if (!rest.starts_with('/')) return base::fail("address \"" + base::printable(url) + "\": the path must be absolute");
    if (rest.size() > 107) return base::fail("address \"" + base::printable(url) + "\": the path is longer than 107 bytes");
    return server_address{.path = std::string(rest)};
  }
  if (scheme != "tcp" && scheme != "http") return base::fail("address \"" + base::printable(url) + "\": unknown scheme");
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != std::string_view::npos) return base::fail("address \"" + base::printable(url) + "\": no path is allowed");
  return parse_authority(rest, url);
}

std::string to_string(const server_address& address) {
  if (!address.path.empty()) return "unix://" + address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace http
