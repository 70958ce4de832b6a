// services_watch: keeps a service_set as the API server has it: a list in pages, then a watch from the list's version.
// Owned by kubernetes_source, which connects the client and publishes the set.
//
// A watch that ends in good order continues from its last version, on another connection if the server has closed this
// one. Version 410 "Gone" leads to a new list. Any other failure ends run(), since a deletion may have been missed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "async/condition.hpp"
#include "sources/kubernetes/api_client.hpp"
#include "sources/kubernetes/service_set.hpp"

namespace kubernetes {

struct services_watch_options {
  std::chrono::milliseconds deadline;     // for each piece of a list
  std::chrono::seconds watch;             // how long the server keeps one watch open
  std::chrono::milliseconds watch_grace;  // how much later than that it counts as dead
  std::chrono::milliseconds whole_list;   // for all pages
  unsigned page;                          // Services in a page
};

class services_watch {
 public:
  // Notifies `changed` after each change of `services`. All three outlive this.
  services_watch(api_client& api, service_set& services, async::condition& changed, services_watch_options options)
      : api_(api), services_(services), changed_(changed), options_(options) {}

  // Before run() on a new connection: the set counts as old until it is listed.
  void restart() { listed_ = false; }
  // Lists and watches until something fails, and returns the reason.
  async::task<base::error> run();
  // Whether the set is complete since restart().
  [[nodiscard]] bool listed() const { return listed_; }

 private:
  // How a watch ended that did not fail.
  enum class watch_end : std::uint8_t { in_order, gone };

  async::task<base::result<>> list();
  async::task<base::result<page_end>> list_page(const std::string& continue_token);
  async::task<base::result<page_end>> read_page();
  async::task<base::result<watch_end>> watch_once();
  async::task<base::result<watch_end>> watch();
  async::task<base::result<watch_end>> read_events();
  base::result<watch_end> apply(const std::vector<watch_event>& events);

  api_client& api_;
  service_set& services_;
  async::condition& changed_;
  services_watch_options options_;
  std::string resource_version_;
  bool listed_ = false;
  unsigned fruitless_ = 0;  // watches in a row that ended at once without an event
};

}  // namespace kubernetes
