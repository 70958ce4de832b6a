// promtool: what Prometheus' own tool says about a text of metrics. metrics_check.hpp has the conventions that it does
// not check.
#pragma once

#include <string>
#include <string_view>

namespace support {

// What `promtool check metrics` says; empty: there is no fault. Throws std::runtime_error without promtool (fetch.hpp).
[[nodiscard]] std::string promtool_faults(std::string_view text);

}  // namespace support
