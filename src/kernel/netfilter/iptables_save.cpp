#include "kernel/netfilter/iptables_save.hpp"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"

namespace netfilter {
namespace {

constexpr std::size_t most_rules = 200'000;
constexpr std::size_t most_words = 256;

// One word at a time off a line. Inside double quotes a backslash takes the next character as it is.
class word_reader {
 public:
  explicit word_reader(std::string_view line) : rest_(line) {}

  // nullopt at the end of the line and at an open quote, see broken().
  std::optional<std::string> next() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    if (rest_.empty()) return std::nullopt;
    std::string word;
    while (!rest_.empty() && (quoted_ || rest_.front() != ' ')) take(word);
    broken_ = quoted_;
    return broken_ ? std::nullopt : std::optional(std::move(word));
  }

  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  void take(std::string& word) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"') {
      quoted_ = !quoted_;
    } else if (quoted_ && c == '\\' && !rest_.empty()) {
      word += rest_.front();
      rest_.remove_prefix(1);
    } else {
      word += c;
    }
  }

  std::string_view rest_;
  bool quoted_ = false;
  bool broken_ = false;
};

base::result<rule_spec> parse_rule(std::string_view line) {
  word_reader words(line);
  auto first = words.next();
  if (first && first->starts_with('[')) first = words.next();  // counters
  auto chain = words.next();
  if (first != "-A" || !chain) return base::fail("iptables-save: not a rule: " + base::printable(line));
  rule_spec r{std::move(*chain), {}};
  while (auto word = words.next()) {
    if (r.words.size() == most_words) return base::fail("iptables-save: a rule has too many words");
    r.words.push_back(std::move(*word));
  }
  if (words.broken()) return base::fail("iptables-save: open quote: " + base::printable(line));
  return r;
}

base::result<> add_chain(nat_table& table, std::string_view text) {
  auto name = word_reader(text).next();
  if (!name) return base::fail("iptables-save: a chain without a name");
  table.chains.push_back(std::move(*name));
  return {};
}

// "-A CHAIN …": the chain, unless its name is quoted.
std::string_view chain_of(std::string_view line) {
  if (!line.starts_with("-A ")) return {};
  const auto name = line.substr(3);
  return name.substr(0, name.find(' '));
}

base::result<> add_line(nat_table& table, std::string_view line, const rule_filter& wanted) {
  if (line.starts_with(':')) return add_chain(table, line.substr(1));
  const auto chain = chain_of(line);
  if (wanted && !chain.empty() && !wanted(chain, line)) return {};
  auto r = parse_rule(line);
  if (!r) return std::unexpected(r.error());
  if (table.rules.size() == most_rules) return base::fail("iptables-save: too many rules");
  table.rules.push_back(std::move(*r));
  return {};
}

// visit(line) for each line that is not empty or a comment, until one fails.
template <class Visit>
base::result<> for_each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = base::trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (auto visited = visit(line); !visited) return visited;
  }
  return {};
}

std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_of(" \t\r\v\f\"\\'") == std::string::npos;
  if (plain) return word;
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\' || c == '\'') text += '\\';
    text += c;
  }
  return text + '"';
}

std::string line(std::string_view command, const rule_spec& r) {
  std::string text(command);
  text += ' ';
  text += quoted(r.chain);
  for (const auto& word : r.words) text += ' ' + quoted(word);
  return text;
}

}  // namespace

rule_spec canonical(rule_spec r) {
  std::ranges::sort(r.words);
  return r;
}

bool nat_table::has_chain(std::string_view name) const { return std::ranges::find(chains, name) != chains.end(); }

base::result<nat_table> parse_nat_table(std::string_view text, const rule_filter& wanted) {
  nat_table table;
  bool inside = false, whole = false;
  const auto read = for_each_line(text, [&](std::string_view line) -> base::result<> {
    if (line.starts_with('*')) {
      inside = line == "*nat";
    } else if (line == "COMMIT") {
      whole = whole || inside;
      inside = false;
    } else if (inside) {
      return add_line(table, line, wanted);
    }
    return {};
  });
  if (!read) return std::unexpected(read.error());
  if (!whole) return base::fail("iptables-save: expected a whole nat table, got " + base::printable(text, 200));
  return table;
}

base::result<nat_table> parse_rule_list(std::string_view text) {
  nat_table table;
  const auto read = for_each_line(text, [&table](std::string_view line) {
    const bool head = line.starts_with("-P ") || line.starts_with("-N ");
    return head ? add_chain(table, line.substr(3)) : add_line(table, line, {});
  });
  if (!read) return std::unexpected(read.error());
  return table;
}

std::string append_line(const rule_spec& r) { return line("-A", r); }
std::string delete_line(const rule_spec& r) { return line("-D", r); }
std::string list_line(std::string_view chain) { return line("-S", {std::string(chain), {}}); }

std::string restore_input(const std::vector<std::string>& lines, std::string_view table) {
  std::string text = '*' + std::string(table) + '\n';
  for (const auto& line : lines) text += line + '\n';
  return text + "COMMIT\n";
}

}  // namespace netfilter
