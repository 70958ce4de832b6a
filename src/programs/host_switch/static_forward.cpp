#include "programs/host_switch/static_forward.hpp"

#include <expected>
#include <string_view>

#include "async/task.hpp"
#include "base/backoff.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "protocols/forwarder_api/forward.hpp"
#include "protocols/forwarder_api/forward_address.hpp"

namespace host_switch {

base::result<forwarder_api::forward> parse_static_forward(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return base::fail("not of the form Host:Port=Guest:Port");
  forwarder_api::forward made{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)), "tcp"};
  if (auto listen = forwarder_api::parse_local(made.local); !listen) return std::unexpected(listen.error());
  if (!forwarder_api::parse_remote(made.remote))
    return base::fail("the guest's side must be an IPv4 address and a port");
  return made;
}

async::task<> keep_trying(forwarder* forwards, forwarder_api::forward wanted) {
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
