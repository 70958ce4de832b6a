#include "ports/peer_listing.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/backoff.hpp"
#include "base/result.hpp"
#include "ports/retry_state.hpp"

namespace ports {

std::string_view to_string(peer_status status) {
  switch (status) {
    case peer_status::awaiting: return "awaiting";
    case peer_status::syncing: return "syncing";
    case peer_status::synced: break;
  }
  return "synced";
}

void peer_listing::request(time_point now) {
  if (status_ == peer_status::syncing) {
    repeat_ = true;
    return;
  }
  status_ = peer_status::awaiting;
  not_before_ = now;
}

void peer_listing::restart(time_point now) {
  failures_ = 0;
  request(now);
}

void peer_listing::end_delay(time_point now) { not_before_ = std::min(not_before_, now); }

void peer_listing::start() {
  status_ = peer_status::syncing;
  repeat_ = false;
}

void peer_listing::succeeded(time_point now) {
  status_ = repeat_ ? peer_status::awaiting : peer_status::synced;
  not_before_ = now;
  failures_ = 0;
  trouble_.reset();
}

void peer_listing::failed(const base::error& why, const base::backoff& pace, time_point now, std::uint32_t random) {
  status_ = peer_status::awaiting;
  trouble_ = why;
  not_before_ = now + pace.delay(++failures_, random);
}

}  // namespace ports
