#include "http/server_address.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/plain_name.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "net/address.hpp"
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

struct authority_parts {
  std::string_view host;
  std::string_view rest;  // behind the host: empty, or from ":" on
};

// Splits "[::1]:80", "host:80" or "host"; nothing if a bracket is not closed.
std::optional<authority_parts> split_authority(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return authority_parts{text.substr(1, end - 1), text.substr(end + 1)};
  }
  const auto end = std::min(text.find(':'), text.size());
  return authority_parts{text.substr(0, end), text.substr(end)};
}

base::result<server_address> parse_authority(std::string_view text, std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return base::fail("address \"" + base::printable(url) + "\": " + std::string(why));
  };
  const auto parts = split_authority(text);
  if (!parts) return wrong("missing ]");
  server_address made;
  made.host = parts->host;
  if (made.host.empty()) return wrong("no host");
  if (text.starts_with('[') ? !is_v6(made.host) : !is_host_name(made.host)) return wrong("bad host");
  if (parts->rest.empty()) return made;
  const auto port = parts->rest.starts_with(':') ? base::parse_port(parts->rest.substr(1)) : std::nullopt;
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
