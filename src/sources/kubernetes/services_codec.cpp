#include "sources/kubernetes/services_codec.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "sources/kubernetes/json_walk.hpp"

namespace kubernetes {
namespace {

constexpr std::size_t most_ports = 4096;
constexpr std::size_t most_labels = 256;
constexpr std::size_t longest_text = 320;

// Fills one Service from the values below it; `at` is relative to the Service: ".spec.ports[].port".
class service_builder {
 public:
  void text(std::string_view at, std::string_view value) {
    if (at.starts_with(labels)) return label(at.substr(labels.size()), value);
    value = value.substr(0, longest_text);
    if (at == ".metadata.name")
      made_.name = value;
    else if (at == ".metadata.namespace")
      made_.name_space = value;
    else if (at == ".metadata.uid")
      made_.uid = value;
    else if (at == ".spec.type")
      made_.type = value;
    else if (at == ".spec.ports[].protocol")
      port_.protocol = value;
  }
  void number(std::string_view at, std::int64_t value) {
    if (at == ".spec.ports[].port")
      port_.port = value;
    else if (at == ".spec.ports[].nodePort")
      port_.node_port = value;
  }
  void object_end(std::string_view at) {
    if (at != ".spec.ports[]") return;
    if (made_.ports.size() < most_ports) made_.ports.push_back(std::move(port_));
    port_ = {};
  }
  service_record take() { return std::exchange(made_, {}); }

 private:
  static constexpr std::string_view labels = ".metadata.labels.";

  // A key of that length may have been cut.
  void label(std::string_view key, std::string_view value) {
    if (made_.labels.size() < most_labels && key.size() < longest_key && value.size() <= longest_text)
      made_.labels.emplace_back(key, value);
    else
      made_.labels_complete = false;
  }

  service_record made_;
  service_port port_;
};

// Removes the prefix; empty if the path has another one.
std::string_view below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) ? path.substr(prefix.size()) : std::string_view{};
}

struct list_values {
  std::vector<service_record> services;
  page_end end;
  service_builder item;
  std::string kind;

  void text(std::string_view at, const std::string& value) {
    if (at == ".kind")
      kind = value;
    else if (at == ".metadata.resourceVersion")
      end.resource_version = value;
    else if (at == ".metadata.continue")
      end.continue_token = value;
    else if (const auto inside = below(at, ".items[]"); !inside.empty())
      item.text(inside, value);
  }
  void number(std::string_view at, std::int64_t value) {
    if (const auto inside = below(at, ".items[]"); !inside.empty()) item.number(inside, value);
  }
  void object_end(std::string_view at) {
    if (at == ".items[]") {
      services.push_back(item.take());
    } else if (const auto inside = below(at, ".items[]"); !inside.empty()) {
      item.object_end(inside);
    }
  }
};

change to_change(std::string_view type) {
  if (type == "ADDED") return change::added;
  if (type == "MODIFIED") return change::modified;
  if (type == "DELETED") return change::deleted;
  if (type == "BOOKMARK") return change::bookmark;
  return type == "ERROR" ? change::error : change::other;
}

struct watch_values {
  std::vector<watch_event> events;
  watch_event next;
  service_builder object;

  void text(std::string_view at, const std::string& value) {
    const auto inside = below(at, ".object");
    if (at == ".type")
      next.what = to_change(value);
    else if (inside == ".metadata.resourceVersion")
      next.resource_version = value;
    else if (inside == ".message")
      next.message = value;
    else if (!inside.empty())
      object.text(inside, value);
  }
  void number(std::string_view at, std::int64_t value) {
    const auto inside = below(at, ".object");
    if (inside == ".code")
      next.code = value;
    else if (!inside.empty())
      object.number(inside, value);
  }
  void object_end(std::string_view at) {
    if (!at.empty()) return object.object_end(below(at, ".object"));
    next.service = object.take();
    events.push_back(std::exchange(next, {}));
  }
};

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::string_view without_leading_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

}  // namespace

struct list_reader::state {
  json_walk<list_values> walk;
};

list_reader::list_reader() : state_(std::make_unique<state>()) {}
list_reader::~list_reader() = default;

base::result<std::vector<service_record>> list_reader::feed(std::string_view piece) {
  auto& walk = state_->walk;
  if (!walk.done()) {
    const auto used = walk.feed(piece);
    if (!used) return std::unexpected(used.error());
    piece.remove_prefix(*used);
  }
  if (!without_leading_space(piece).empty()) return base::fail("trailing data after the list");
  return std::exchange(walk.values().services, {});
}

base::result<page_end> list_reader::finish() {
  auto& values = state_->walk.values();
  if (!state_->walk.done()) return base::fail("the list is incomplete");
  if (values.kind != "ServiceList" || values.end.resource_version.empty()) return base::fail("expected a ServiceList");
  return std::move(values.end);
}

struct watch_reader::state {
  json_walk<watch_values> walk;
};

watch_reader::watch_reader() : state_(std::make_unique<state>()) {}
watch_reader::~watch_reader() = default;

base::result<std::vector<watch_event>> watch_reader::feed(std::string_view piece) {
  auto& walk = state_->walk;
  while (true) {
    if (walk.done()) {
      piece = without_leading_space(piece);
      walk.restart();
    }
    if (walk.fresh()) piece = without_leading_space(piece);
    if (piece.empty()) break;
    const auto used = walk.feed(piece);
    if (!used) return std::unexpected(used.error());
    piece.remove_prefix(*used);
  }
  return std::exchange(walk.values().events, {});
}

}  // namespace kubernetes
