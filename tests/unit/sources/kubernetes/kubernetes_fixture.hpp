// A kubernetes_source, its kubeconfig, and the API server that this names.
#pragma once

#include <gmock/gmock.h>

#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "sources/kubernetes/kubernetes_source.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_kubernetes.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"

namespace kubernetes {

using namespace std::chrono_literals;
using support::fake_kubernetes;
using port_set = std::set<std::uint16_t>;

class kubernetes_source_test : public testing::Test {
 protected:
  void TearDown() override {
    loop_.stop();
    source_.reset();
    api_->stop();
  }
  [[nodiscard]] std::filesystem::path config() const { return directory_ / "k3s.yaml"; }
  // As k3s does: the file is replaced.
  void write_config(const std::string& text) const {
    std::ofstream(directory_ / "new") << text;
    std::filesystem::rename(directory_ / "new", config());
  }
  void start_source(kubernetes_options o = {}) {
    o.kubeconfig = config();
    source_ = std::make_unique<kubernetes_source>(loop_.executor(), o);
    loop_.spawn(source_->run(feed_));
  }
  void start_both(kubernetes_options o = {}) {
    api_->start();
    write_config(api_->kubeconfig());
    start_source(o);
    ASSERT_TRUE(loop_.run_until([this] { return feed_.last && api_->watching() == 1; }, 60s));
  }
  void publish_node_port(const std::string& name, long port) { api_->put({.name = name, .ports = {{80, port}}}); }
  [[nodiscard]] bool publishes(const port_set& ports) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; },
                           60s);  // 64 MB under a sanitizer take their time
  }
  [[nodiscard]] bool is_degraded(const std::string& why) {
    return loop_.run_until([&] { return feed_.trouble && feed_.trouble->message().contains(why); });
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  std::unique_ptr<fake_kubernetes> api_ = std::make_unique<fake_kubernetes>();
  support::recording_feed feed_;
  std::unique_ptr<kubernetes_source> source_;
};

}  // namespace kubernetes
