// answer_check: whether a TCP port answers inside the VM. Only a connection can show that.
//
// It answers if a connection stays open for 100 ms, or brings bytes. An engine's proxy accepts every connection, and
// closes it at once while the container's own server does not listen.
#pragma once

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace guestagentctl {

// The IPv4 wildcard stands for each IPv4 address of this machine: one that answers is enough. An error says why the
// first address does not answer. Takes half a second for an address that is silent.
async::task<base::result<>> check_answer(net::endpoint at);

}  // namespace guestagentctl
