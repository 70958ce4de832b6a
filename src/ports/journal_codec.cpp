#include "ports/journal_codec.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/sink.hpp"
#include "ports/source_id.hpp"

namespace ports {
namespace {

constexpr std::string_view header_start = "guestagent-journal 1 ";

std::string encode_key(const port_key& key) {
  return fmt::format("{} {} {}", net::to_string(key.protocol), key.address.to_string(), key.port);
}

std::optional<port_key> parse_key(const std::vector<std::string_view>& words) {
  if (words.size() < 4) return std::nullopt;
  const auto protocol = net::parse_protocol(words[1]);
  const auto address = net::address::parse(words[2]);
  const auto port = base::parse_port(words[3]);
  if (!protocol || !address || !port) return std::nullopt;
  return port_key{*protocol, *address, *port};
}

bool apply_line(std::string_view line, std::span<const source_id> known, journal_content& content) {
  const auto words = base::split(line, ' ');
  const auto key = parse_key(words);
  if (!key) return false;
  if (words[0] == "-" && words.size() == 4) {
    content.live.erase(*key);
    return true;
  }
  if (words[0] != "+" || words.size() < 6 || words.size() > 7) return false;
  const auto container_port = base::parse_number<std::uint16_t>(words[4]);
  const auto source = parse_source(words[5], known);
  const auto inside = words.size() == 7 ? base::parse_port(words[6]) : std::uint16_t{0};
  if (!container_port || !source || !inside) return false;
  content.live[*key] = {.key = *key, .container_port = *container_port, .source = *source, .remapped_from = *inside};
  return true;
}

}  // namespace

std::string encode_journal_header(std::string_view boot_id) { return fmt::format("{}{}\n", header_start, boot_id); }

std::string encode_journal_add(const forward& f) {
  const auto inside = f.remapped_from == 0 ? "" : fmt::format(" {}", f.remapped_from);
  return fmt::format("+ {} {} {}{}\n", encode_key(f.key), f.container_port, to_string(f.source), inside);
}

std::string encode_journal_erase(const port_key& key) { return fmt::format("- {}\n", encode_key(key)); }

journal_content parse_journal(std::string_view text, std::span<const source_id> known) {
  journal_content content;
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const bool whole = end != std::string_view::npos;
    if (std::exchange(first, false) && whole && line.starts_with(header_start))
      content.boot_id = line.substr(header_start.size());
    else if (!whole || !apply_line(line, known, content))
      ++content.damaged_lines;
  }
  return content;
}

}  // namespace ports
