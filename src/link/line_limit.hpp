// line_limit: how many lines a minute the log has for each kind of event of a link. A peer that ends each link at once
// provokes them; the rest is counted (base/episode.hpp).
#pragma once

#include <chrono>

#include "base/episode.hpp"

namespace links {

inline base::log::throttle line_limit() { return base::log::throttle(std::chrono::minutes(1), 4); }

}  // namespace links
