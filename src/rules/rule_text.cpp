#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net/protocol.hpp"
#include "rules/conditions.hpp"
#include "rules/glob.hpp"
#include "rules/rule.hpp"
#include "rules/rules_codec.hpp"

namespace rules {
namespace {

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string text_of(const port_range& r) {
  return r.size() == 1 ? std::to_string(r.first) : fmt::format("{}-{}", r.first, r.last);
}

std::string text_of(const address_pattern& a) {
  if (a.what == address_pattern::kind::exact) return quote(a.exact.to_string());
  return a.what == address_pattern::kind::wildcard ? "wildcard" : "loopback";
}

std::string text_of(const glob& g) { return quote(g.text()); }
std::string text_of(const std::string& name) { return quote(name); }
std::string text_of(const label_pattern& l) { return quote(l.value ? l.key + '=' + l.value->text() : l.key); }

std::string text_of(const host_port& to) {
  if (const auto* number = std::get_if<std::uint16_t>(&to)) return std::to_string(*number);
  if (const auto* range = std::get_if<port_range>(&to)) return text_of(*range);
  return fmt::format("{:+}", std::get<port_offset>(to).by);
}

class writer {
 public:
  void add(std::string_view key, std::string_view value) { pairs_.push_back(fmt::format("{}: {}", key, value)); }

  template <class T>
  void add_list(std::string_view key, const std::vector<T>& values) {
    if (values.empty()) return;
    std::vector<std::string> texts;
    for (const auto& value : values) texts.push_back(text_of(value));
    add(key, texts.size() == 1 ? texts.front() : fmt::format("[{}]", fmt::join(texts, ", ")));
  }

  [[nodiscard]] std::string text() const { return fmt::format("{{{}}}", fmt::join(pairs_, ", ")); }

 private:
  std::vector<std::string> pairs_;
};

void add_conditions(writer& to, const conditions& c) {
  if (c.ports) to.add("port", text_of(*c.ports));
  if (c.protocol) to.add("protocol", net::to_string(*c.protocol));
  to.add_list("source", c.sources);
  to.add_list("address", c.addresses);
  to.add_list("name", c.names);
  to.add_list("label", c.labels);
  to.add_list("namespace", c.namespaces);
  to.add_list("image", c.images);
}

void add_actions(writer& to, const actions& a) {
  if (a.ignore) to.add("ignore", "true");
  if (a.host_address) to.add("host-address", quote(a.host_address->to_string()));
  if (a.host_port) to.add("host-port", text_of(*a.host_port));
  if (a.peers) to.add_list("peers", *a.peers);
  if (!a.note.empty()) to.add("note", quote(a.note));
}

}  // namespace

std::string to_yaml(const rule& r) {
  writer to;
  add_conditions(to, r.when);
  add_actions(to, r.then);
  return to.text();
}

}  // namespace rules
