#include "link/link_url.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/stream_address.hpp"

namespace links {
namespace {

struct scheme {
  std::string_view prefix;
  link_kind kind;
};
constexpr std::array schemes{scheme{"vsock://", link_kind::vsock},
                             scheme{"unix://", link_kind::unix_stream},
                             scheme{"qemu://", link_kind::qemu},
                             scheme{"unixgram://", link_kind::unix_datagram},
                             scheme{"fd://", link_kind::descriptor},
                             scheme{"handshake://", link_kind::handshake},
                             scheme{"firecracker://", link_kind::firecracker}};

bool has_number(link_kind kind) { return kind == link_kind::vsock || kind == link_kind::descriptor; }

// What is appended to the path of a link: by a listening socket its ".new", by a handshake ".data" or "_6656" as well.
std::size_t longest_suffix(link_kind kind) {
  return kind == link_kind::handshake || kind == link_kind::firecracker ? 9 : 4;
}

base::result<link_url> with_number(link_kind kind, std::string_view text) {
  const auto number = base::parse_number<std::uint32_t>(text);
  constexpr std::uint32_t most_descriptors = std::numeric_limits<int>::max();
  if (!number || (kind == link_kind::descriptor && *number > most_descriptors))
    return base::fail("a number is missing behind " + std::string(kind == link_kind::vsock ? "vsock://" : "fd://"));
  return link_url{.kind = kind, .path = {}, .number = *number};
}

base::result<link_url> with_path(link_kind kind, std::string_view text) {
  if (!net::is_unix_path(text) || text.size() + longest_suffix(kind) > net::longest_unix_path)
    return base::fail("not an absolute path that fits a socket address");
  return link_url{.kind = kind, .path = std::string(text)};
}

}  // namespace

base::result<link_url> link_url::parse(std::string_view text) {
  for (const auto& s : schemes) {
    if (!text.starts_with(s.prefix)) continue;
    const auto rest = text.substr(s.prefix.size());
    return has_number(s.kind) ? with_number(s.kind, rest) : with_path(s.kind, rest);
  }
  return base::fail("not a link like vsock://2, unix:///run/x.sock or fd://3");
}

std::string to_string(const link_url& url) {
  for (const auto& s : schemes)
    if (s.kind == url.kind)
      return std::string(s.prefix) + (has_number(url.kind) ? std::to_string(url.number) : url.path);
  return {};
}

}  // namespace links
