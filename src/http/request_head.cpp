#include "http/request_head.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "http/message.hpp"

namespace http {
namespace {

namespace beast = boost::beast::http;

response bad_request(std::string_view why) { return text_response(400, "400 Bad Request: " + std::string(why)); }

bool equals(boost::beast::string_view text, std::string_view lower) {
  return base::to_lower(base::trim(std::string_view(text.data(), text.size()))) == lower;
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// A target in absolute form: "http://host:port/path".
struct url {
  std::string_view authority;
  std::string path;  // with the query
};

// Nothing if it is not a URL of this server's scheme, or names no host.
std::optional<url> parse_url(std::string_view target) {
  constexpr std::string_view scheme = "http://";
  if (base::to_lower(target.substr(0, scheme.size())) != scheme) return std::nullopt;
  target.remove_prefix(scheme.size());
  const auto end = std::min(target.find_first_of("/?"), target.size());
  if (end == 0) return std::nullopt;
  const auto path = target.substr(end);
  return url{target.substr(0, end), (path.starts_with('/') ? "" : "/") + std::string(path)};
}

bool is_target(const beast::request_header<>& head) {
  const auto target = view(head.target());
  return target.starts_with('/') || target == "*" || head.method() == beast::verb::connect || parse_url(target);
}

std::optional<response> check_line(const beast::request_header<>& head) {
  return is_target(head) ? std::nullopt : std::optional(bad_request("malformed request target"));
}

// Who asks, and for which site.
std::optional<response> check_names(const beast::request_header<>& head) {
  const auto hosts = head.count(beast::field::host);
  if (hosts == 0 && head.version() >= 11) return bad_request("missing required Host header");
  if (hosts > 1) return bad_request("too many Host headers");
  if (head.count(beast::field::origin) > 1) return bad_request("too many Origin headers");
  return std::nullopt;
}

// How the body comes.
std::optional<response> check_body(const beast::request_header<>& head) {
  const auto encodings = head.count(beast::field::transfer_encoding);
  if (encodings > 0 && head.version() < 11) return bad_request("Transfer-Encoding in HTTP/1.0");
  if (encodings > 1 || (encodings == 1 && !equals(head[beast::field::transfer_encoding], "chunked")))
    return text_response(501, "Unsupported transfer encoding");
  const auto expectations = head.count(beast::field::expect);
  if (expectations > 1 || (expectations == 1 && !equals(head[beast::field::expect], "100-continue")))
    return text_response(417, "expectation failed");
  return std::nullopt;
}

}  // namespace

std::optional<response> check_head(const beast::request_header<>& head) {
  for (const auto check : {check_line, check_names, check_body})
    if (auto refusal = check(head)) return refusal;
  return std::nullopt;
}

bool expects_continue(const beast::request_header<>& head) {
  return head.version() >= 11 && head.count(beast::field::expect) > 0;
}

request read_head(const beast::request_header<>& head) {
  request made;
  made.method = head.method_string();
  made.target = head.target();
  for (const auto& field : head) {
    auto& value = made.headers[std::string(field.name_string())];
    value.append(value.empty() ? "" : ", ").append(view(field.value()));
  }
  if (auto absolute = parse_url(made.target)) {
    made.headers["Host"] = absolute->authority;
    made.target = std::move(absolute->path);
  }
  return made;
}

}  // namespace http
