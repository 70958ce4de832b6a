// status_page: the status page for browsers, over TCP (-status-page). own_port_source gives it its listening socket,
// and exposes the port: the page is at http://localhost:PORT on the host.
//
//   GET /                                        the page
//   GET /v1/status, /v1/status/watch, /metrics   as status_server has them
//
// page_access.hpp says which requests are denied.
#pragma once

#include <string>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/task.hpp"
#include "base/unique_fd.hpp"
#include "http/server.hpp"
#include "net/address.hpp"
#include "programs/guest_agent/controller.hpp"
#include "programs/guest_agent/page_access.hpp"
#include "programs/guest_agent/page_content.hpp"
#include "programs/guest_agent/status_server.hpp"

namespace guest_agent {

class status_page {
 public:
  // `at`: its address. `middle` must outlive it.
  status_page(const async::executor& where, controller& middle, const net::address& at);

  // Serves until cancelled.
  async::task<> serve(base::unique_fd listening);

  // Answers one request.
  [[nodiscard]] http::answer answer(const http::incoming& in);

 private:
  [[nodiscard]] http::answer route(const http::incoming& in);
  [[nodiscard]] http::answer watch(const http::incoming& in);
  async::task<> stream(http::stream_writer write, std::string peer);
  // The text, made at most ten times a second for all clients.
  struct kept_text {
    encoded_status last;
    async::clock::time_point encoded_at;
  };
  [[nodiscard]] encoded_status read(kept_text& kept, encoded_status (*encode)(const controller&));
  async::task<> forget_texts();

  controller& middle_;
  net::address at_;
  page_content page_ = make_page();
  stream_places places_;
  kept_text status_, metrics_;
  async::condition is_kept_;
};

}  // namespace guest_agent
