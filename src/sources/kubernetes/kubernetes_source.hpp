// kubernetes_source: the ports of Services of type NodePort and LoadBalancer, by the Kubernetes API: a list in pages,
// then a watch from where the list stood. The kubeconfig is awaited, and read again when it changes.
//
// The files that it names are looked at from time to time.
//
// A watch that ends in good order goes on from where it was, on another connection where the server has closed this
// one. After anything else (410, a broken answer, a server that was away) the Services are listed anew: what was
// deleted meanwhile must not stay. While the API cannot be read the source is degraded, and its last ports stay.
//
// How late it may be: a server that is back is asked within two seconds; one that accepts and is silent is given up
// after `deadline`, and a silent watch after `watch` + `watch_grace`.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "async/condition.hpp"
#include "os/file_watch.hpp"
#include "ports/source.hpp"
#include "sources/kubernetes/api_client.hpp"
#include "sources/kubernetes/kubeconfig.hpp"
#include "sources/kubernetes/service_set.hpp"

namespace kubernetes {

struct kubernetes_options {
  std::filesystem::path kubeconfig = "/etc/rancher/k3s/k3s.yaml";
  net::address listener = net::address::any_v4();  // to which Services are bound on the host
  std::chrono::milliseconds deadline{10'000};      // for a connection, and for each piece of an answer
  std::chrono::seconds watch{120};                 // how long the server is asked to keep one watch open
  std::chrono::milliseconds watch_grace{15'000};   // how much later than that it counts as dead
  std::chrono::milliseconds whole_list{300'000};   // for all pages: the API server forgets versions that are older
  std::chrono::milliseconds reread{5'000};         // between looks at a kubeconfig that is no good, or not watched
  std::chrono::milliseconds recheck{60'000};       // between looks at the files that a good one names
  unsigned page = 500;                             // Services in a page of the list
};

class kubernetes_source : public ports::source {
 public:
  kubernetes_source(const async::executor& where, kubernetes_options options);

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::kubernetes; }
  async::task<> run(ports::source_feed& feed) override;

 private:
  // How a watch ended that did not fail.
  enum class watch_end : std::uint8_t { in_order, gone };

  async::task<base::error> follow_cluster(ports::source_feed& feed, cluster_access access);
  async::task<> publish_changes(ports::source_feed& feed);
  async::task<> list_and_watch();
  async::task<> watch_kubeconfig();
  async::task<base::result<>> list();
  async::task<base::result<page_end>> list_page(const std::string& continue_token);
  async::task<base::result<watch_end>> watch();
  async::task<base::result<watch_end>> read_events();
  base::result<watch_end> handle(const std::vector<watch_event>& events);
  async::task<base::result<cluster_access>> read_kubeconfig();
  bool open_file_watch();
  async::task<> wait_for_kubeconfig(std::chrono::milliseconds at_most);
  void fail(base::error why);
  bool publish(ports::source_feed& feed);

  async::executor where_;
  kubernetes_options options_;
  service_set services_;
  kubeconfig_reader config_;
  api_client api_;
  std::string resource_version_;
  async::condition changed_;            // something to publish, or to fail for
  std::optional<base::error> failure_;  // of the present connection
  bool listed_ = false;                 // since the present connection was made
  bool published_ = false;              // the same
  unsigned fruitless_ = 0;              // watches in a row that were over at once and told nothing
  std::uint64_t epoch_ = 0;
  std::optional<os::file_watch> file_;  // none before the kubeconfig's file system has answered once
  bool watchable_ = true;
};

}  // namespace kubernetes
