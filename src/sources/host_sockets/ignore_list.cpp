#include "sources/host_sockets/ignore_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/protocol.hpp"

namespace host_sockets {
namespace {

constexpr std::size_t most_entries = 1'000;

}  // namespace

base::result<ignore_list::entry> ignore_list::parse_entry(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return base::fail(fmt::format("\"{}\" {}", base::printable(text, 60), why));
  };
  entry made;
  auto ports = text;
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    made.protocol = net::parse_protocol(base::trim(text.substr(0, colon)));
    if (!made.protocol || *made.protocol == net::protocol::sctp) return wrong("begins with neither tcp: nor udp:");
    ports = text.substr(colon + 1);
  }
  const auto dash = ports.find('-');
  const auto first = base::parse_port(base::trim(ports.substr(0, dash)));
  const auto last = dash == std::string_view::npos ? first : base::parse_port(base::trim(ports.substr(dash + 1)));
  if (!first || !last) return wrong("is no port and no range of ports (1 to 65535)");
  if (*first > *last) return wrong("is a range that ends before it begins");
  made.first = *first;
  made.last = *last;
  return made;
}

base::result<ignore_list> ignore_list::parse(std::string_view text) {
  ignore_list made;
  if (base::trim(text).empty()) return made;
  for (const auto part : base::split(text, ',')) {
    if (made.entries_.size() >= most_entries) return base::fail(fmt::format("more than {} entries", most_entries));
    const auto word = base::trim(part);
    if (word == "default") {
      const auto all = parse(defaults);
      made.entries_.insert(made.entries_.end(), all->entries_.begin(), all->entries_.end());
      continue;
    }
    const auto one = parse_entry(word);
    if (!one) return std::unexpected(one.error());
    made.entries_.push_back(*one);
  }
  return made;
}

bool ignore_list::contains(net::protocol protocol, std::uint16_t port) const {
  return std::ranges::any_of(entries_, [&](const entry& e) {
    return (!e.protocol || *e.protocol == protocol) && e.first <= port && port <= e.last;
  });
}

}  // namespace host_sockets
