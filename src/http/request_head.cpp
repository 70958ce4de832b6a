#include "http/request_head.hpp"

#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "http/message.hpp"

namespace http {
namespace {

namespace beast = boost::beast::http;

response bad_request(std::string_view why) { return text_response(400, "400 Bad Request: " + std::string(why)); }

bool equals(boost::beast::string_view text, std::string_view lower) {
  return base::to_lower(base::trim(std::string_view(text.data(), text.size()))) == lower;
}

}  // namespace

std::optional<response> check_head(const beast::request_header<>& head) {
  const auto hosts = head.count(beast::field::host);
  if (hosts == 0 && head.version() >= 11) return bad_request("missing required Host header");
  if (hosts > 1) return bad_request("too many Host headers");
  const auto encodings = head.count(beast::field::transfer_encoding);
  if (encodings > 1 || (encodings == 1 && !equals(head[beast::field::transfer_encoding], "chunked")))
    return text_response(501, "Unsupported transfer encoding");
  const auto expectations = head.count(beast::field::expect);
  if (expectations > 1 || (expectations == 1 && !equals(head[beast::field::expect], "100-continue")))
    return text_response(417, "expectation failed");
  return std::nullopt;
}

}  // namespace http
