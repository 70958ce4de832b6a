// answer_check: whether a TCP port answers inside the VM. Only a connection can show that.
//
// It answers if a connection stays open for half a second, or brings bytes. An engine's proxy accepts every connection,
// connects to the container, and closes the first one if the container's own server does not listen.
#pragma once

#include <chrono>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace guestagentctl {

struct answer_limits {
  std::chrono::milliseconds connect{500};
  std::chrono::milliseconds open{500};  // a connection that lives for longer has a server
};

// The IPv4 wildcard stands for each IPv4 address of this machine: one that answers is enough. An error says why the
// first address does not answer. Takes the sum of the limits for an address at most.
async::task<base::result<>> check_answer(net::endpoint at, answer_limits limits = {});

}  // namespace guestagentctl
