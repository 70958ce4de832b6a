#include "programs/vtunnel/config_codec.hpp"

#include <fmt/format.h>
#include <linux/vm_sockets.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"

namespace vtunnel {
namespace {

constexpr std::size_t longest_text = 64 << 10;
constexpr std::size_t most_tunnels = 64;
constexpr std::size_t longest_name = 64;
constexpr std::string_view unix_prefix = "unix:";

// Thrown at the first mistake; caught in parse_config.
struct wrong {
  std::string why;
};

[[noreturn]] void fail(const YAML::Mark& at, const std::string& key, const std::string& why) {
  const auto line = at.is_null() ? std::string() : fmt::format("line {}: ", at.line + 1);
  throw wrong{line + key + ": " + why};
}

// One value of a tunnel, with its place for error messages.
struct field {
  YAML::Mark at;
  std::string key;
  std::string text;

  [[noreturn]] void refuse(const char* why) const {
    fail(at, key, fmt::format("{}: \"{}\"", why, base::printable(text, 100)));
  }
};

constexpr std::array<const char*, 6> known_keys{"name",         "handshake-port", "vsock-host-port",
                                                "peer-address", "peer-port",      "upstream-server-address"};

// The library accepts a key that is given twice, and ignores one that is misspelt.
void check_keys(const YAML::Node& map, const std::string& owner, std::span<const char* const> known) {
  std::set<std::string> seen;
  for (const auto& entry : map) {
    const auto& key = entry.first;
    const auto text = key.IsScalar() ? key.Scalar() : "?";
    const auto name = owner + (owner.empty() ? "" : ".") + base::printable(text, 100);
    if (std::ranges::find(known, text) == known.end()) fail(key.Mark(), name, "is not known");
    if (!seen.insert(text).second) fail(key.Mark(), name, "is given twice");
  }
}

field read_field(const YAML::Node& map, const std::string& owner, const char* name) {
  const auto key = owner + "." + name;
  const auto node = map[name];
  if (!node.IsDefined() || node.IsNull()) fail(map.Mark(), key, "is missing");
  if (!node.IsScalar() || node.Scalar().empty()) fail(node.Mark(), key, "no value");
  return {node.Mark(), key, node.Scalar()};
}

std::optional<net::unix_path> unix_of(const field& f) {
  if (!f.text.starts_with(unix_prefix)) return std::nullopt;
  auto path = f.text.substr(unix_prefix.size());
  if (!net::is_unix_path(path)) f.refuse("not the absolute path of a socket");
  return net::unix_path{std::move(path)};
}

vsock_place vsock_of(const field& f) {
  if (auto path = unix_of(f)) return std::move(path->path);
  const auto port = base::parse_number<std::uint32_t>(f.text);
  if (!port || *port == 0 || *port == VMADDR_PORT_ANY) f.refuse("neither a vsock port nor unix:/path");
  return *port;
}

net::address address_of(const field& f) {
  const auto ip = net::address::parse(f.text);
  if (!ip) f.refuse("not an IP address");
  return *ip;
}

std::uint16_t port_of(const field& f) {
  const auto port = base::parse_port(f.text);
  if (!port) f.refuse("not a port");
  return *port;
}

net::stream_address upstream_of(const field& f) {
  if (auto path = unix_of(f)) return std::move(*path);
  if (f.text.starts_with("npipe:")) f.refuse("named pipes are Windows' own; here it is IP:PORT or unix:/path");
  const auto at = net::parse_endpoint(f.text);
  if (!at || at->port == 0 || at->ip.is_unspecified()) f.refuse("neither IP:PORT nor unix:/path");
  return *at;
}

std::string name_of(const field& f) {
  if (f.text.size() > longest_name || base::printable(f.text) != f.text) f.refuse("too long, or not printable");
  return f.text;
}

class reader {
 public:
  std::vector<tunnel> read(const YAML::Node& root) {
    const auto list = root.IsMap() ? root["tunnel"] : YAML::Node(YAML::NodeType::Undefined);
    if (root.IsMap()) check_keys(root, "", std::array<const char*, 1>{"tunnel"});
    if (!list.IsDefined()) fail(root.Mark(), "tunnel", "is missing");
    if (!list.IsSequence() || list.size() == 0) fail(list.Mark(), "tunnel", "no list of tunnels");
    if (list.size() > most_tunnels) fail(list.Mark(), "tunnel", fmt::format("more than {}", most_tunnels));
    std::vector<tunnel> all;
    for (std::size_t i = 0; i < list.size(); ++i) all.push_back(read_tunnel(list[i], fmt::format("tunnel[{}]", i)));
    return all;
  }

 private:
  tunnel read_tunnel(const YAML::Node& map, const std::string& owner) {
    if (!map.IsMap()) fail(map.Mark(), owner, "no tunnel");
    check_keys(map, owner, known_keys);
    tunnel made;
    made.name = name_of(own(read_field(map, owner, "name"), "name"));
    made.handshake = vsock_of(own(read_field(map, owner, "handshake-port"), "handshake"));
    made.data = vsock_of(own(read_field(map, owner, "vsock-host-port"), "data"));
    made.peer.ip = address_of(read_field(map, owner, "peer-address"));
    const auto port = read_field(map, owner, "peer-port");
    made.peer.port = port_of(port);
    own({port.at, port.key, net::to_string(made.peer)}, "peer");
    made.upstream = upstream_of(read_field(map, owner, "upstream-server-address"));
    return made;
  }

  // The value must be unique. Ports of the two sides are on two machines; paths may be on one.
  field own(field f, const char* kind) {
    if (f.text.starts_with(unix_prefix)) kind = "";
    const auto taken = taken_.emplace(std::string(kind) + " " + f.text, f.key);
    if (!taken.second) f.refuse(("the same as " + taken.first->second).c_str());
    return f;
  }

  std::map<std::string, std::string> taken_;  // → its key
};

}  // namespace

base::result<std::vector<tunnel>> parse_config(std::string_view text) try {
  if (text.size() > longest_text) return base::fail("larger than 64 KiB");
  return reader().read(YAML::Load(std::string(text)));
} catch (const wrong& w) {
  return base::fail(w.why);
} catch (const YAML::Exception& e) {
  const auto line = e.mark.is_null() ? std::string() : fmt::format("line {}: ", e.mark.line + 1);
  return base::fail(line + base::printable(e.msg, 200));
}

net::stream_address at_cid(const vsock_place& place, std::uint32_t cid) {
  if (const auto* path = std::get_if<std::string>(&place)) return net::unix_path{*path};
  return net::vsock_address{cid, std::get<std::uint32_t>(place)};
}

}  // namespace vtunnel
