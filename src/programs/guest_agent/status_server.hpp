// status_server: serves guestagentctl, and curl, over a UNIX socket that only root can open.
//
//   GET /v1/status        the status document (protocols/status_document)
//   GET /v1/status/watch  the same now and after every change, one document a line, at most ten a second
//   GET /v1/rules         the port rules (protocols/rules_document)
//   GET /metrics          its numbers in Prometheus' text format
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/shared_text.hpp"
#include "http/server.hpp"
#include "os/claimed_unix_path.hpp"
#include "programs/guest_agent/controller.hpp"
#include "protocols/rules_document/document.hpp"

namespace guest_agent {

using rules_reader = std::function<rules_document::document()>;

// Serves until cancelled. `middle` must outlive it.
async::task<> serve_status(controller& middle, rules_reader rules, const os::claimed_unix_path& listener);

// The status document as text, one line, and the controller's changes() that it shows.
struct encoded_status {
  base::shared_text text;
  std::uint64_t changes = 0;
};
[[nodiscard]] encoded_status encode_status(const controller& middle);

// Writes the status document now and after every change, until `write` reports that the client has gone. `read` gives
// the documents: encode_status, or one that several streams share.
using status_reader = std::function<encoded_status()>;
async::task<> stream_documents(controller& middle, http::stream_writer write, status_reader read = {});

// The answers that the socket and the status page have in common.
[[nodiscard]] http::response answer_status(std::string body);
[[nodiscard]] http::response answer_metrics(std::string body);
[[nodiscard]] http::response answer_watch();  // the head of the stream

// Pure: the metrics of a view.
[[nodiscard]] std::string describe_metrics(const status_view& view);

}  // namespace guest_agent
