#include "program/metrics_text.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace program {
namespace {

std::string_view to_text(metric_kind kind) {
  switch (kind) {
    case metric_kind::counter: return "counter";
    case metric_kind::gauge: return "gauge";
    case metric_kind::histogram: break;
  }
  return "histogram";
}

std::string escape(std::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\')
      escaped += "\\\\";
    else if (c == '\n')
      escaped += "\\n";
    else if (c == '"' && quotes)
      escaped += "\\\"";
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace

void metrics_text::begin(std::string_view name, metric_kind kind, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escape(help, false), name, to_text(kind));
}

void metrics_text::add(metric_labels labels, double value) { add_sample("", labels, "", value); }

void metrics_text::add_histogram(metric_labels labels, std::span<const double> bounds,
                                 std::span<const std::uint64_t> counts, double sum) {
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    so_far += counts[i];
    add_sample("_bucket", labels, i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf",
               static_cast<double>(so_far));
  }
  add_sample("_sum", labels, "", sum);
  add_sample("_count", labels, "", static_cast<double>(so_far));
}

void metrics_text::add_sample(std::string_view suffix, metric_labels labels, std::string_view bound, double value) {
  std::string all;
  for (const auto& [name, text] : labels)
    all += fmt::format("{}{}=\"{}\"", all.empty() ? "" : ",", name, escape(text, true));
  if (!bound.empty()) all += fmt::format("{}le=\"{}\"", all.empty() ? "" : ",", bound);
  text_ += name_;
  text_ += suffix;
  if (!all.empty()) text_ += "{" + all + "}";
  text_ += fmt::format(" {}\n", value);
}

}  // namespace program
