#include "protocols/forwarder_api/answer_codec.hpp"

#include <fmt/format.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "http/message.hpp"
#include "json/json.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace forwarder_api {
namespace {

constexpr std::string_view exists_prefix = "proxy already running";

std::optional<forward> parse_forward(const json::value& element) {
  const auto local = json::find_string(element, "local");
  const auto protocol = json::find_string(element, "protocol");
  if (!local || !protocol) return std::nullopt;
  const auto remote = json::find_string(element, "remote");
  return forward{std::string(*local), std::string(remote.value_or("")), std::string(*protocol)};
}

// Linux's words and Windows'. Other reasons (descriptors, rights) do not pass when a port becomes free.
bool is_busy(std::string_view reason) {
  return reason.contains("address already in use") || reason.contains("Only one usage of each socket address");
}

}  // namespace

http::response encode_all(const std::vector<forward>& forwards) {
  json::array list;
  for (const auto& f : forwards) list.push_back({{"local", f.local}, {"remote", f.remote}, {"protocol", f.protocol}});
  return {200, {{"Content-Type", "application/json"}}, json::serialize(list) + "\n"};
}

base::result<std::vector<forward>> parse_all(std::string_view body) {
  const auto document = json::parse(body, {.bytes = 64 << 20});
  if (!document) return std::unexpected(document.error());
  std::vector<forward> all;
  if (document->is_null()) return all;  // how Go writes a list that was never made
  const auto* list = document->if_array();
  if (list == nullptr) return base::fail("expected a JSON array of forwards");
  for (const auto& element : *list)
    if (auto one = parse_forward(element)) all.push_back(std::move(*one));
  return all;
}

std::string already_exposed(const forward& f) {
  return fmt::format("{} for {} on {}", exists_prefix, base::printable(f.protocol), base::printable(f.local));
}

// Classified as a whole, however long: what matters may stand at the end.
verdict classify_expose(const http::response& answer) {
  const auto words = base::trim(answer.body);
  if (answer.status == 200) return verdict::done;
  if (words.starts_with(exists_prefix)) return verdict::exists;
  return is_busy(words) ? verdict::busy : verdict::refused;
}

verdict classify_unexpose(const http::response& answer) {
  if (answer.status == 200) return verdict::done;
  return base::trim(answer.body) == not_exposed ? verdict::unknown : verdict::refused;
}

}  // namespace forwarder_api
