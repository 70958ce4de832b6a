// kubernetes_source: publishes the ports of Services of type NodePort and LoadBalancer, from the Kubernetes API. Waits
// for the kubeconfig, connects, publishes each change, and starts over when the connection fails or the kubeconfig
// changes. services_watch lists and watches, kubeconfig_watch reads the file.
//
// While the API cannot be read the source is degraded, and its last ports stay. After an interruption the Services are
// listed anew, since one may have been deleted meanwhile.
//
// How late it may be: a server that is back is asked within two seconds. One that accepts and is silent is given up
// after `deadline`, a silent watch after `watch` + `watch_grace`.
#pragma once

#include <chrono>
#include <filesystem>

#include "async/condition.hpp"
#include "ports/source.hpp"
#include "sources/kubernetes/api_client.hpp"
#include "sources/kubernetes/kubeconfig_watch.hpp"
#include "sources/kubernetes/service_set.hpp"
#include "sources/kubernetes/services_watch.hpp"

namespace kubernetes {

struct kubernetes_options {
  std::filesystem::path kubeconfig = "/etc/rancher/k3s/k3s.yaml";
  net::address listener = net::address::any_v4();  // the host's address for Services
  std::chrono::milliseconds deadline{10'000};      // for a connection, and for each piece of an answer
  std::chrono::seconds watch{120};                 // how long the server keeps one watch open
  std::chrono::milliseconds watch_grace{15'000};   // how much later than that it counts as dead
  std::chrono::milliseconds whole_list{300'000};   // for all pages: the API server forgets versions that are older
  std::chrono::milliseconds reread{5'000};         // between readings of a kubeconfig that is invalid or not watched
  std::chrono::milliseconds recheck{60'000};       // between readings of the files that a valid one names
  unsigned page = 500;                             // Services in a page of the list
};

class kubernetes_source : public ports::source {
 public:
  kubernetes_source(const async::executor& where, kubernetes_options options);

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::kubernetes; }
  async::task<> run(ports::source_feed& feed) override;

 private:
  async::task<base::error> follow_cluster(ports::source_feed& feed, cluster_access access);
  async::task<> publish_changes(ports::source_feed& feed);
  async::task<> follow_services();
  async::task<> follow_kubeconfig();
  void fail(base::error why);
  bool publish(ports::source_feed& feed);

  kubernetes_options options_;
  service_set services_;
  kubeconfig_watch config_;
  api_client api_;
  async::condition changed_;  // something to publish, or to fail for
  services_watch watch_;
  base::result<> connection_;  // the failure that ended the present one, if any
  bool published_ = false;     // since the present connection was made
  std::uint64_t epoch_ = 0;
};

}  // namespace kubernetes
