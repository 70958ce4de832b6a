// metrics_check: whether a text keeps to Prometheus' text format and to the conventions for names, for tests
// (https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/practices/naming/).
#pragma once

#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace support {

// One line for each fault; empty: there is none.
inline std::string metrics_faults(std::string_view text) {
  static const std::regex sample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\n"])*",?)*\})? (\S+))re");
  std::string faults, metric, type;
  std::map<std::string, std::string, std::less<>> help;
  std::set<std::string> series, types;
  const auto fault = [&](std::string_view line, std::string_view why) {
    faults += std::string(why) + ": " + std::string(line) + "\n";
  };
  if (!text.ends_with('\n')) fault("", "the last line has no end");
  for (const auto line : base::split(text.substr(0, text.size() - 1), '\n')) {
    const auto words = base::split(line, ' ');
    if (line.starts_with("# HELP ") && words.size() > 3) {
      help[std::string(words[2])] = words[3];
    } else if (line.starts_with("# TYPE ") && words.size() == 4) {
      metric = words[2];
      type = words[3];
      if (!types.insert(metric).second) fault(line, "a metric is there twice");
      if (!help.contains(metric)) fault(line, "no help before the type");
      if ((type == "counter") != metric.ends_with("_total")) fault(line, "counters end in _total, and nothing else");
      const auto measured = metric.ends_with("_total") ? metric.substr(0, metric.size() - 6) : metric;
      for (const auto* unit : {"_ms", "_milliseconds", "_us", "_microseconds", "_minutes", "_kilobytes"})
        if (measured.ends_with(unit)) fault(line, "not a base unit");
    } else {
      std::smatch parts;
      const std::string whole(line);
      if (!std::regex_match(whole, parts, sample)) {
        fault(line, "not a sample");
        continue;
      }
      const auto name = parts[1].str();
      const bool of_histogram =
          type == "histogram" && (name == metric + "_bucket" || name == metric + "_sum" || name == metric + "_count");
      if (!of_histogram && (type == "histogram" || name != metric)) fault(line, "a sample of another metric");
      if (!series.insert(name + parts[2].str()).second) fault(line, "a sample is there twice");
    }
  }
  return faults;
}

}  // namespace support
