#include "programs/host_switch/static_forward.hpp"

#include <utility>

#include "base/backoff.hpp"
#include "base/episode.hpp"
#include "base/text.hpp"

namespace host_switch {

async::task<> keep_trying(forwarder* forwards, forward_request wanted) {
  using namespace std::chrono_literals;
  const base::backoff pause{.first = 100ms, .cap = 1000ms, .jitter = 0};
  base::log::episode trouble("forwarder", "cannot forward local=" + base::printable(wanted.local));
  for (unsigned failures = 1;; ++failures) {
    const auto done = forwards->expose_static(wanted);
    trouble.note(done);
    if (done) co_return;
    co_await async::sleep_for(pause.delay(failures, 0));
  }
}

}  // namespace host_switch
