#include "rules/yaml_tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <sstream>  // NOLINT(calls): yaml-cpp reads nothing else, and has the streams already
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "rules/problem.hpp"
#include "rules/text_check.hpp"

namespace rules {
namespace {

// Ends the reading at an error that leaves no tree; caught in parse_yaml.
struct unreadable {
  position at;
  std::string why, hint;
};

position place(const YAML::Mark& mark) {
  return {static_cast<unsigned>(mark.line) + 1, static_cast<unsigned>(mark.column) + 1};
}

class tree_builder : public YAML::EventHandler {
 public:
  explicit tree_builder(problem_list& problems) : problems_(problems) {}

  [[nodiscard]] yaml_node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw unreadable{place(mark), "a second document begins here", "remove the line ---"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    attach({.what = yaml_node::kind::null, .at = place(mark)});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    check(mark, "", 0);
    problems_.add(place(mark), "aliases are not supported", "write the value out");
    attach({.what = yaml_node::kind::null, .at = place(mark)});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    if (find_bad_character(value) != std::string::npos)
      problems_.add(place(mark), "the value has a line break or another control character", "write it on one line");
    attach({.what = yaml_node::kind::scalar, .at = place(mark), .text = value});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    check(mark, tag, anchor);
    open({.what = yaml_node::kind::list, .at = place(mark)});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    check(mark, tag, anchor);
    open({.what = yaml_node::kind::map, .at = place(mark)});
  }
  void OnMapEnd() override { close(); }

 private:
  struct level {
    yaml_node node;
    std::optional<yaml_key> key{};  // of a map, until its value comes
  };

  // What any value may be wrong by.
  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (++nodes_ > yaml_limits::nodes)
      throw unreadable{place(mark), fmt::format("the file has more than {} values", yaml_limits::nodes), ""};
    if (anchor != 0) problems_.add(place(mark), "anchors are not supported", "write the value out");
    if (!tag.empty() && tag != "?" && tag != "!")
      problems_.add(place(mark), "tags are not supported", "remove " + base::printable(tag, 40));
  }

  void open(yaml_node node) {
    if (levels_.size() == yaml_limits::depth) throw unreadable{node.at, "is nested too deeply", ""};
    levels_.push_back({.node = std::move(node)});
  }

  void close() {
    auto done = std::move(levels_.back().node);
    levels_.pop_back();
    attach(std::move(done));
  }

  void attach(yaml_node node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& [parent, key] = levels_.back();
    if (parent.what == yaml_node::kind::list) {
      parent.items.push_back(std::move(node));
    } else if (!key) {
      key = make_key(parent, std::move(node));
    } else {
      parent.keys.push_back(std::move(*key));
      parent.items.push_back(std::move(node));
      key.reset();
    }
  }

  yaml_key make_key(const yaml_node& map, yaml_node key) {
    if (map.keys.size() == yaml_limits::keys)
      throw unreadable{key.at, fmt::format("a map has more than {} keys", yaml_limits::keys), ""};
    if (key.what != yaml_node::kind::scalar) {
      problems_.add(key.at, "the key is not a text");
      return {.at = key.at, .is_text = false};
    }
    if (const auto same = std::ranges::find(map.keys, key.text, &yaml_key::text); same != map.keys.end())
      problems_.add(key.at, fmt::format("\"{}\" stands twice", base::printable(key.text, 40)),
                    fmt::format("it is already on line {}", same->at.line));
    return {std::move(key.text), key.at};
  }

  problem_list& problems_;
  std::vector<level> levels_;
  yaml_node root_;
  std::size_t nodes_ = 0;
  unsigned documents_ = 0;
};

// The parser takes a line break at the end of the text for the end of an open quote. Without one it reports the quote.
yaml_node build(std::string_view text, problem_list& problems) {
  const auto end = text.find_last_not_of(" \t\r\n");
  std::istringstream stream{std::string(text.substr(0, end == std::string_view::npos ? 0 : end + 1))};
  YAML::Parser parser(stream);
  tree_builder builder(problems);
  while (parser.HandleNextDocument(builder)) {
  }
  return builder.take();
}

position place_of(std::string_view text, std::size_t at) {
  const auto before = text.substr(0, at);
  const auto line_begin = before.rfind('\n') + 1;  // 0 where there is none
  return {static_cast<unsigned>(std::ranges::count(before, '\n')) + 1, static_cast<unsigned>(at - line_begin) + 1};
}

}  // namespace

const yaml_node* yaml_node::find(std::string_view key) const {
  const auto found = std::ranges::find(keys, key, [](const yaml_key& k) { return std::string_view(k.text); });
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

std::optional<yaml_node> parse_yaml(std::string_view text, problem_list& problems) try {
  if (text.size() > yaml_limits::bytes) throw unreadable{{}, "the text is larger than 1 MiB", ""};
  if (const auto bad = find_bad_character(text, "\t\r\n"); bad != std::string_view::npos)
    throw unreadable{place_of(text, bad), "there is a byte that is not text", "save the file as UTF-8"};
  return build(text, problems);
} catch (const unreadable& u) {
  problems.add(u.at, u.why, u.hint);
  return std::nullopt;
} catch (const YAML::Exception& e) {
  const auto at = e.mark.is_null() ? position{} : place(e.mark);
  problems.add(at, "not YAML: " + base::printable(e.msg, 200), "check the indentation, colons and quotes");
  return std::nullopt;
}

}  // namespace rules
