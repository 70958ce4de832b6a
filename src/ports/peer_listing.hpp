// peer_listing: when one peer is asked what it holds. reconcile_fsm owns it. Pure: time and randomness are arguments.
//
//   awaiting  what the peer holds is not known: it is asked at not_before()
//   syncing   the peer has been asked
//   synced    the peer has answered
//
// A failure leads back to awaiting, and the delay grows with each failure in a row. A request while the peer answers
// leads to one more question, because the answer may be older than the reason for the request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/backoff.hpp"
#include "base/result.hpp"
#include "ports/retry_state.hpp"

namespace ports {

enum class peer_status : std::uint8_t { awaiting, syncing, synced };
[[nodiscard]] std::string_view to_string(peer_status status);

class peer_listing {
 public:
  // Makes the peer be asked at `now`.
  void request(time_point now);
  // The same, and forgets the failures: the peer may have returned.
  void restart(time_point now);
  // Ends a delay before `now`; asks for nothing.
  void end_delay(time_point now);

  // Awaiting, and the time has come.
  [[nodiscard]] bool is_due(time_point now) const { return status_ == peer_status::awaiting && now >= not_before_; }
  // From awaiting to syncing; report to succeeded() or failed().
  void start();
  void succeeded(time_point now);
  void failed(const base::error& why, const base::backoff& pace, time_point now, std::uint32_t random);

  [[nodiscard]] peer_status status() const { return status_; }
  [[nodiscard]] unsigned failures() const { return failures_; }  // in a row
  [[nodiscard]] const std::optional<base::error>& trouble() const { return trouble_; }
  // When the peer is asked, or was asked last.
  [[nodiscard]] time_point not_before() const { return not_before_; }

 private:
  peer_status status_ = peer_status::awaiting;
  bool repeat_ = false;  // requested while syncing
  unsigned failures_ = 0;
  time_point not_before_{};
  std::optional<base::error> trouble_;
};

}  // namespace ports
