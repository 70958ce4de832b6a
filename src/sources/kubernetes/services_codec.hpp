// services_codec: Kubernetes Services as the API server lists and watches them, read while the bytes come in. Pure.
// It keeps only the fields below, and returns each Service with the piece that completes it. So neither a page of huge
// objects nor one without an end takes memory. Numbers, protocols and texts are not checked here; service_set does so.
// Texts of a Service are cut at 320 bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace kubernetes {

struct service_port {
  std::string protocol = "TCP";
  std::int64_t port = 0;
  std::int64_t node_port = 0;  // 0: none
};

struct service_record {
  std::string name_space, name, uid;
  std::string type;                                           // "NodePort", "LoadBalancer", "ClusterIP", …
  std::vector<service_port> ports;                            // 4,096 at most; further ones are dropped
  std::vector<std::pair<std::string, std::string>> labels{};  // 256 at most; further ones are dropped
  bool labels_complete = true;                                // false: some are dropped, or are too long
};

// The fields around the Services of a page.
struct page_end {
  std::string resource_version;
  std::string continue_token;  // empty: this was the last page
};

// One page of GET /api/v1/services.
class list_reader {
 public:
  list_reader();
  ~list_reader();
  // The Services that the next piece of the body completes. Fails if it is not JSON, or nested deeper than 100.
  base::result<std::vector<service_record>> feed(std::string_view piece);
  // At the end of the body. Fails if it is incomplete or not a ServiceList. The Services read so far then do not count:
  // an error is never an empty list.
  base::result<page_end> finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

enum class change : std::uint8_t { added, modified, deleted, bookmark, error, other };

struct watch_event {
  change what = change::other;
  service_record service;
  std::string resource_version;
  std::int64_t code = 0;  // of an error: an HTTP status, 410 for "list again"
  std::string message;    // of an error
};

// The events of GET /api/v1/services?watch=true, one JSON document after the other.
class watch_reader {
 public:
  watch_reader();
  ~watch_reader();
  // The events that the next piece of the body completes.
  base::result<std::vector<watch_event>> feed(std::string_view piece);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace kubernetes
