#include "programs/host_switch/access_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "http/host_header.hpp"
#include "http/message.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "programs/host_switch/subnet.hpp"

namespace host_switch {
namespace {

constexpr std::string_view private_domain = ".internal";  // ICANN: never delegated, so no web site has a name in it

// A browser adds some of these headers to each request of a page, and a page cannot remove them.
bool is_browsers(const http::header_map& headers) {
  return std::ranges::any_of(headers, [](const auto& field) {
    const auto name = base::to_lower(field.first);
    return name == "origin" || name.starts_with("sec-fetch-");
  });
}

std::string normalized(std::string_view host) {
  auto lower = base::to_lower(host);
  if (lower.ends_with('.')) lower.pop_back();
  return lower;
}

}  // namespace

access_policy::access_policy(subnet vm_network, net::endpoint api, std::vector<std::string> more_hosts,
                             own_address is_own, remotes allowed)
    : vm_network_(vm_network),
      api_(api),
      hosts_(std::move(more_hosts)),
      is_own_(std::move(is_own)),
      allowed_(allowed) {}

base::result<> access_policy::check_address(const net::address& ip, std::string_view whose) const {
  if (!vm_network_.contains(ip))
    return base::fail(fmt::format("{} {} is not in {}", whose, ip.to_string(), vm_network_.to_string()));
  const auto own = is_own_(ip);
  if (!own) return base::fail(fmt::format("{} {} cannot be checked: {}", whose, ip.to_string(), own.error().message()));
  if (*own || ip == api_.ip || ip == vm_network_.gateway() || vm_network_.is_host_alias(ip))
    return base::fail(fmt::format("{} {} is an address of the host", whose, ip.to_string()));
  return {};
}

base::result<> access_policy::check_client(const net::address& client) const {
  return check_address(client, "the client");
}

base::result<> access_policy::check_remote(const net::endpoint& remote,
                                           const std::optional<net::address>& caller) const {
  if (allowed_ == remotes::of_caller && caller && remote.ip != *caller)
    return base::fail(fmt::format("remote {} is not the caller's address", remote.ip.to_string()));
  return check_address(remote.ip, "remote");
}

bool access_policy::may_withdraw(std::string_view remote, const std::optional<net::address>& caller) const {
  if (allowed_ == remotes::any || !caller) return true;
  const auto leads_to = net::parse_endpoint(remote);
  return leads_to && leads_to->ip == *caller;
}

bool access_policy::is_ours(std::string_view text) const {
  const auto host = normalized(text);
  if (std::ranges::find(hosts_, host) != hosts_.end()) return true;
  const auto ip = net::address::parse(host);
  return ip ? *ip == api_.ip : host.ends_with(private_domain);
}

std::optional<http::response> access_policy::check_head(const http::request& request) const {
  const auto host = request.headers.find("Host");
  const auto name = host == request.headers.end() ? std::nullopt : http::host_of(host->second);
  if (!name) return http::text_response(400, "400 Bad Request: missing or malformed Host header");
  if (!is_ours(*name)) return http::text_response(403, "Host is not a name of this API; see -api-host");
  if (is_browsers(request.headers)) return http::text_response(403, "not for browsers: Origin or Sec-Fetch-* is set");
  return std::nullopt;
}

base::result<std::string> parse_host_name(std::string_view text) {
  const auto host = http::host_of(text);
  auto name = host && host->size() == text.size() ? normalized(*host) : std::string();
  if (name.empty()) return base::fail("not the name or the address of a host");
  return name;
}

}  // namespace host_switch
