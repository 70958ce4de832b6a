#include "hostswitch/request_codec.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/text.hpp"
#include "json/json.hpp"

namespace hostswitch {
namespace {

constexpr json::limits request_limits{.bytes = 64 << 10, .depth = 16};

base::result<std::string> text_member(const json::value& document, std::string_view name) {
  const auto* member = json::find_any_case(document, name);
  if (member == nullptr) return std::string();
  if (const auto* text = member->if_string()) return std::string(*text);
  return base::fail(fmt::format("json: cannot unmarshal into Go struct field ExposeRequest.{} of type string", name));
}

}  // namespace

base::result<forward_request> parse_request(std::string_view body) {
  if (base::trim(body).empty()) return base::fail("EOF");
  const auto document = json::parse_first(body, request_limits);
  if (!document) return std::unexpected(document.error());
  if (!document->is_object() && !document->is_null()) return base::fail("json: cannot unmarshal into Go value of type types.ExposeRequest");
  auto local = text_member(*document, "local");
  auto remote = text_member(*document, "remote");
  auto protocol = text_member(*document, "protocol");
  for (const auto* member : {&local, &remote, &protocol})
    if (!*member) return std::unexpected(member->error());
  return forward_request{std::move(*local), std::move(*remote), protocol->empty() ? "tcp" : std::move(*protocol)};
}

std::string encode_all(const std::vector<forward_request>& forwards) {
  json::array list;
  for (const auto& f : forwards) list.push_back({{"local", f.local}, {"remote", f.remote}, {"protocol", f.protocol}});
  return json::serialize(list) + "\n";
}

base::result<std::string> complete_remote(std::string_view remote, std::string_view caller) {
  const auto colon = remote.rfind(':');
  if (colon == std::string_view::npos) return base::fail("address " + base::printable(remote) + ": missing port in address");
  if (colon == 0) return std::string(caller) + std::string(remote);
  return std::string(remote);
}

base::result<net::endpoint> parse_local(std::string_view local) {
  if (local.rfind(':') == std::string_view::npos) return base::fail("address " + base::printable(local) + ": missing port in address");
  const auto parsed = net::parse_endpoint(local);
  if (!parsed || parsed->port == 0) return base::fail("address " + base::printable(local) + ": not an address and a port");
  return *parsed;
}

base::result<forward_request> parse_static_forward(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return base::fail("not of the form Host:Port=Guest:Port");
  forward_request made{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)), "tcp"};
  if (auto local = parse_local(made.local); !local) return std::unexpected(local.error());
  const auto remote = net::parse_endpoint(made.remote);
  if (!remote || !remote->ip.is_v4() || remote->ip.is_unspecified() || remote->port == 0) return base::fail("the guest's side must be an IPv4 address and a port");
  return made;
}

base::result<net::address> parse_gateway(std::string_view subnet) {
  const auto slash = subnet.find('/');
  const auto base_address = net::address::parse(subnet.substr(0, slash));
  const auto bits = slash == std::string_view::npos ? std::nullopt : base::parse_number<unsigned>(subnet.substr(slash + 1));
  if (!base_address || !base_address->is_v4() || !bits || *bits == 0 || *bits > 30) return base::fail("not an IPv4 subnet like 192.168.127.0/24");
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), base_address->data(), bytes.size());
  for (unsigned bit = *bits; bit < 32; ++bit) bytes.at(bit / 8) = static_cast<std::uint8_t>(bytes.at(bit / 8) & ~(0x80U >> (bit % 8)));
  ++bytes[3];
  return net::address::v4(bytes.data());
}

}  // namespace hostswitch
