#include "sources/kubernetes/kubeconfig.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/support/temp_dir.hpp"

namespace kubernetes {
namespace {

using testing::HasSubstr;

class kubeconfig_test : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const { std::ofstream(directory_ / name) << text; }
  base::result<cluster_access> load(const std::filesystem::path& file) {
    kubeconfig_reader reader(file);
    return loop_.run(reader.read());
  }
  base::result<cluster_access> load(const std::string& cluster, const std::string& user) {
    write("config",
          "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
          "{server: 'https://h', " +
              cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n");
    return load(directory_ / "config");
  }

  support::temp_dir directory_;
  support::event_loop loop_;
};

TEST_F(kubeconfig_test, reads_the_files_that_it_names_beside_itself) {
  write("ca.pem", "the ca");
  write("cert.pem", "the cert");
  write("key.pem", "the key");
  write("token", " secret\n");
  const auto access = load("certificate-authority: ca.pem",
                           "client-certificate: cert.pem, client-key: " + (directory_ / "key.pem").string() +
                               ", tokenFile: token, token: old");
  ASSERT_TRUE(access) << access.error().message();
  EXPECT_EQ(access->ca_pem, "the ca");
  EXPECT_EQ(access->client_cert_pem, "the cert");
  EXPECT_EQ(access->client_key_pem, "the key");
  EXPECT_EQ(access->token, "secret");
  EXPECT_EQ(access->server.port, 443);
}

TEST_F(kubeconfig_test, a_file_that_cannot_be_read_is_an_error_that_names_its_key) {
  const auto access = load("certificate-authority: gone.pem", "");
  ASSERT_FALSE(access);
  EXPECT_THAT(access.error().message(), HasSubstr("certificate-authority: "));
  EXPECT_NE(access.error().code, std::errc::no_such_file_or_directory) << "the kubeconfig itself is there";
}

TEST_F(kubeconfig_test, what_is_no_file_is_an_error) {
  EXPECT_EQ(load(directory_ / "gone").error().code, std::errc::no_such_file_or_directory);
  EXPECT_THAT(load(directory_.path()).error().message(), HasSubstr("not a regular file"));
  ASSERT_EQ(mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(load(directory_ / "fifo").error().message(), HasSubstr("not a regular file"));
  write("large", std::string((1 << 20) + 1, ' '));
  EXPECT_THAT(load(directory_ / "large").error().message(), HasSubstr("larger"));
}

TEST_F(kubeconfig_test, a_token_that_could_end_a_header_is_refused) {
  write("token", "a\r\nHost: b");
  EXPECT_THAT(load("insecure-skip-tls-verify: true", "tokenFile: token").error().message(), HasSubstr("token"));
}

// The loop goes on meanwhile, and a cancelled reading does not wait.
TEST_F(kubeconfig_test, a_file_that_hangs_is_not_waited_for) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  const auto text =
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
      "{server: 'https://h'}}]\nusers: [{name: u, user: {tokenFile: " +
      (dead.path() / "token").string() + "}}]\n";
  write("config", text);
  kubeconfig_reader reader(directory_ / "config");
  EXPECT_THAT(loop_.run(reader.read()).error().message(),
              HasSubstr("tokenFile: " + (dead.path() / "token").string() + ": its file system does not answer"));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(loop_.run(reader.read()));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << "it is waited for once";
  write("token", "secret");
  write("config", std::string(text).replace(text.find(dead.path().string()), dead.path().string().size(),
                                            directory_.path().string()));
  EXPECT_EQ(loop_.run(reader.read())->token, "secret") << "another file is read as always";
  kubeconfig_reader hanging(dead.path() / "config");
  EXPECT_EQ(loop_.run(hanging.read()).error().code, std::errc::timed_out);
  dead.release();
  EXPECT_TRUE(support::eventually(std::chrono::seconds(10),
                                  [&] { return loop_.run(hanging.read()).error().code == std::errc::not_connected; }));
}

}  // namespace
}  // namespace kubernetes
