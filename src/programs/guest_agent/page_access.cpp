#include "programs/guest_agent/page_access.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "http/host_header.hpp"
#include "http/message.hpp"
#include "net/address.hpp"

namespace guest_agent {
namespace {

std::optional<std::string_view> header(const http::request& request, std::string_view name) {
  const auto at = request.headers.find(name);
  return at == request.headers.end() ? std::nullopt : std::optional<std::string_view>(at->second);
}

bool is_own(std::string_view host, const net::address& page) {
  if (base::to_lower(host) == "localhost") return true;
  const auto ip = net::address::parse(host);
  return ip && (*ip == page || *ip == net::address::loopback_v4() || *ip == net::address::loopback_v6());
}

bool comes_from_elsewhere(const http::request& request) {
  const auto site = header(request, "Sec-Fetch-Site");
  if (!site || *site == "same-origin" || *site == "none") return false;
  const bool is_link =
      header(request, "Sec-Fetch-Mode") == "navigate" && header(request, "Sec-Fetch-Dest") == "document";
  return !is_link || request.target != "/";
}

std::string client_of(std::string_view peer) {
  const auto ip = net::address::parse(peer);
  return ip && ip->is_loopback() ? "loopback" : std::string(peer);
}

}  // namespace

std::optional<http::response> deny(const http::request& request, const net::address& page) {
  const auto host_header = header(request, "Host").value_or("");
  const auto host = http::host_of(host_header);
  if (!host) return http::text_response(400, "400 Bad Request: missing or malformed Host header");
  if (!is_own(*host, page)) return http::text_response(403, "Host is not an address of this page");
  if (request.method != "GET" && request.method != "HEAD") {
    auto answer = http::text_response(405, "GET and HEAD only");
    answer.headers["Allow"] = "GET, HEAD";
    return answer;
  }
  const auto origin = header(request, "Origin");
  if (origin && base::to_lower(*origin) != "http://" + base::to_lower(host_header))
    return http::text_response(403, "not for pages of another origin");
  if (comes_from_elsewhere(request)) return http::text_response(403, "not for pages of another site");
  return std::nullopt;
}

void protect(http::response& answer) {
  answer.headers.try_emplace("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  answer.headers["Cache-Control"] = "no-store";
  answer.headers["Cross-Origin-Opener-Policy"] = "same-origin";
  answer.headers["Cross-Origin-Resource-Policy"] = "same-origin";
  answer.headers["Referrer-Policy"] = "no-referrer";
  answer.headers["X-Content-Type-Options"] = "nosniff";
  answer.headers["X-Frame-Options"] = "DENY";
}

bool stream_places::has_room(std::string_view peer) const {
  const auto at = book_->by_client.find(client_of(peer));
  return book_->taken < of_all_ && (at == book_->by_client.end() || at->second < of_one_);
}

std::optional<stream_places::place> stream_places::take(std::string_view peer) {
  if (!has_room(peer)) return std::nullopt;
  auto client = client_of(peer);
  ++book_->by_client[client];
  ++book_->taken;
  return place(book_, std::move(client));
}

stream_places::place::~place() {
  if (!of_) return;
  --of_->taken;
  const auto at = of_->by_client.find(client_);
  if (at != of_->by_client.end() && --at->second == 0) of_->by_client.erase(at);
}

}  // namespace guest_agent
