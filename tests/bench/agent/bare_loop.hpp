// bare_loop: the agent's work for many ports at once, done by the least code: one request after the other on one
// connection, with no table, no journal and nothing else to do.
#pragma once

#include "http/server_address.hpp"
#include "tests/support/event_loop.hpp"

namespace bench {

// Posts `count` ports to the host-switch at `api`, from first_port on.
void post_ports(support::event_loop& loop, const http::server_address& api, int count);

// Reads all pages of the Services that the cluster at `api` has.
void list_services(support::event_loop& loop, const http::server_address& api);

}  // namespace bench
