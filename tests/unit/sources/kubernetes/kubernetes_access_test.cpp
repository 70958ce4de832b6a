// How the source gets to the API server and is let in: the kubeconfig, certificates and tokens, and their change.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/sources/kubernetes/kubernetes_fixture.hpp"

namespace kubernetes {
namespace {

using kubernetes_access_test = kubernetes_source_test;

TEST_F(kubernetes_access_test, the_kubeconfig_is_awaited) {
  publish_node_port("a", 30'001);
  api_->start();
  start_source();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_EQ(feed_.trouble->code, std::errc::no_such_file_or_directory);
  const auto whole = api_->kubeconfig();
  write_config(whole.substr(0, whole.size() / 2));  // half written
  EXPECT_TRUE(is_degraded("kubeconfig"));
  write_config(whole);
  const auto before = async::clock::now();
  EXPECT_TRUE(publishes({30'001}));
  EXPECT_LT(async::clock::now() - before, 2s);
}

TEST_F(kubernetes_access_test, a_kubeconfig_that_means_another_cluster_is_followed) {
  publish_node_port("a", 30'001);
  start_both();
  fake_kubernetes other;
  other.put({.name = "b", .ports = {{80, 30'002}}});
  other.start();
  write_config(api_->kubeconfig() + "# the same\n");
  write_config(other.kubeconfig());
  EXPECT_TRUE(publishes({30'002}));
  EXPECT_EQ(api_->connections(), 1U) << "a file that means the same is no reason to connect anew";
}

TEST_F(kubernetes_access_test, tls_with_client_certificates_that_are_rotated) {
  const support::test_authority first, second;
  api_->use(first, true);
  publish_node_port("a", 30'001);
  api_->start();
  const auto client = first.make_client("agent");
  write_config(api_->kubeconfig(&client));
  start_source();
  ASSERT_TRUE(publishes({30'001}));
  api_->stop();
  api_->use(second, true);
  publish_node_port("b", 30'002);
  api_->start();
  EXPECT_TRUE(is_degraded("TLS"));
  const auto renewed = second.make_client("agent");
  write_config(api_->kubeconfig(&renewed));
  EXPECT_TRUE(publishes({30'001, 30'002}));
}

TEST_F(kubernetes_access_test, a_token_in_a_file_that_is_renewed) {
  api_->require_token("old");
  publish_node_port("a", 30'001);
  api_->start();
  std::ofstream(directory_ / "token") << "old";
  auto text = api_->kubeconfig(nullptr, "x");
  write_config(text.replace(text.find("token: x"), 8, "tokenFile: token"));
  start_source();
  ASSERT_TRUE(publishes({30'001}));
  ASSERT_TRUE(loop_.run_until([this] { return api_->watching() == 1; }));
  api_->require_token("new");
  std::ofstream(directory_ / "token") << "new";
  publish_node_port("b", 30'002);
  ASSERT_TRUE(publishes({30'001, 30'002})) << "the old connection still serves";
  loop_.pass_time(61s);
  EXPECT_TRUE(is_degraded("the kubeconfig has changed"));
  EXPECT_TRUE(loop_.run_until([this] { return !feed_.trouble && api_->connections() == 2; }));
}

TEST_F(kubernetes_access_test, a_server_that_is_not_the_right_one_is_refused) {
  const support::test_authority own, foreign;
  api_->use(own, false);
  api_->start();
  fake_kubernetes other(&foreign);
  other.start();
  auto text = api_->kubeconfig();
  write_config(text.replace(text.find(api_->url()), api_->url().size(), other.url()));
  start_source();
  EXPECT_TRUE(is_degraded("TLS: "));
  EXPECT_FALSE(feed_.last);
}

TEST_F(kubernetes_access_test, a_token_is_shown) {
  api_->require_token("secret");
  publish_node_port("a", 30'001);
  api_->start();
  write_config(api_->kubeconfig(nullptr, "wrong"));
  start_source();
  EXPECT_TRUE(is_degraded("401"));
  write_config(api_->kubeconfig(nullptr, "secret"));
  EXPECT_TRUE(publishes({30'001}));
}

}  // namespace
}  // namespace kubernetes
