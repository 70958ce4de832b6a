// agent_client: a document from a running agent's socket, once; or the status document after every change.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {

// One document ("/v1/status", "/v1/rules"), as the agent sent it. Five seconds at most.
async::task<base::result<std::string>> fetch_document(std::string socket, std::string target);

// Decodes an agent's status document.
[[nodiscard]] base::result<status_document::document> read_document(std::string_view text);

// What the reader of a document wants: more of them, or no more.
enum class appetite { more, enough };

// Hands each document of the agent's stream to `take` until that has enough or fails. An error is that of `take`, or
// the agent has stopped: the connection ended, or no whole document came for 30 seconds. The agent sends one every ten
// seconds at least.
async::task<base::result<>> follow_status(std::string socket,
                                          std::function<base::result<appetite>(std::string_view)> take);

}  // namespace guestagentctl
