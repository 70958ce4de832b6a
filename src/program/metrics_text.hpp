// metrics_text: writes metrics in Prometheus' text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace program {

inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

enum class metric_kind : std::uint8_t { counter, gauge, histogram };

// Labels of one sample. Names are literals; values may be any text.
using metric_labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class metrics_text {
 public:
  // Begins a metric; its samples follow. A counter's name ends in _total, and a unit is a base unit: _seconds, _bytes.
  void begin(std::string_view name, metric_kind kind, std::string_view help);
  void add(metric_labels labels, double value);
  // `counts` has one element more than `bounds`: of the values above the bound before and at most this one, and at last
  // of those above all bounds.
  void add_histogram(metric_labels labels, std::span<const double> bounds, std::span<const std::uint64_t> counts,
                     double sum);

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void add_sample(std::string_view suffix, metric_labels labels, std::string_view bound, double value);

  std::string name_;
  std::string text_;
};

}  // namespace program
