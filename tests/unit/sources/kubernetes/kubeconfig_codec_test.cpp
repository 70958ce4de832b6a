#include "sources/kubernetes/kubeconfig_codec.hpp"

#include <gmock/gmock.h>

namespace kubernetes {
namespace {

using testing::HasSubstr;

// As k3s writes it; "Y2E=" is "ca", "Y2VydA==" "cert", "a2V5" "key".
const std::string k3s = R"(apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Y2E=
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: Y2VydA==
    client-key-data: a2V5
)";

std::string with(std::string from, const std::string& to) {
  auto text = k3s;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}
std::string error(const std::string& text) {
  const auto parsed = parse_kubeconfig(text);
  return parsed ? "" : parsed.error().message();
}

TEST(kubeconfig_codec, as_k3s_writes_it) {
  const auto parsed = parse_kubeconfig(k3s);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_TRUE(parsed->tls);
  EXPECT_EQ(parsed->server.host, "127.0.0.1");
  EXPECT_EQ(parsed->server.port, 6443);
  EXPECT_EQ(parsed->path_prefix, "");
  EXPECT_EQ(parsed->ca_pem, "ca");
  EXPECT_EQ(parsed->client_cert_pem, "cert");
  EXPECT_EQ(parsed->client_key_pem, "key");
  EXPECT_FALSE(parsed->insecure);
}

TEST(kubeconfig_codec, servers) {
  const auto server = [](const std::string& url) {
    return parse_kubeconfig(with("https://127.0.0.1:6443", url)).value();
  };
  EXPECT_EQ(server("https://api.example").server.port, 443);
  EXPECT_EQ(server("http://api.example").server.port, 80);
  EXPECT_FALSE(server("http://api.example").tls);
  EXPECT_EQ(server("https://[::1]:6443").server.host, "::1");
  EXPECT_EQ(server("https://[::1]").server.port, 443);
  EXPECT_EQ(server("https://host:1/k8s/clusters/c-1/").path_prefix, "/k8s/clusters/c-1");
  for (const char* wrong :
       {"''", "ftp://x", "https://", "https://x:0", "https://x:99999", "https://a b", "'https://x/a?b=c'"})
    EXPECT_THAT(error(with("https://127.0.0.1:6443", wrong)), HasSubstr("kubeconfig: server")) << wrong;
}

// A token would go over the wire in clear.
TEST(kubeconfig_codec, a_server_without_a_scheme_speaks_tls_where_certificates_are_named) {
  const auto parsed = [](const std::string& cluster, const std::string& user) {
    return parse_kubeconfig(
               "contexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\nclusters: [{name: "
               "c, cluster: {" +
               cluster + "}}]\nusers: [{name: u, user: {token: t" + user + "}}]\n")
        .value();
  };
  const std::string bare = "server: '127.0.0.1:6443'";
  EXPECT_FALSE(parsed(bare, "").tls);
  EXPECT_TRUE(parsed(bare + ", certificate-authority: ca.pem", "").tls);
  EXPECT_TRUE(parsed(bare + ", certificate-authority-data: Y2E=", "").tls);
  EXPECT_TRUE(parsed(bare + ", insecure-skip-tls-verify: true", "").tls);
  EXPECT_TRUE(parsed(bare, ", client-certificate: c.pem, client-key: k.pem").tls);
  EXPECT_TRUE(parsed(bare, ", client-certificate-data: Y2VydA==, client-key-data: a2V5").tls);
  EXPECT_EQ(parsed("server: api.example, insecure-skip-tls-verify: true", "").server.port, 443);
  EXPECT_EQ(parsed("server: api.example", "").server.port, 80);
  EXPECT_FALSE(parsed("server: 'http://127.0.0.1:6443', certificate-authority: ca.pem", "").tls) << "it says so";
}

TEST(kubeconfig_codec, a_scheme_in_capitals) {
  EXPECT_FALSE(parse_kubeconfig(with("https://127.0.0.1:6443", "HTTP://api.example"))->tls);
  const auto parsed = parse_kubeconfig(with("https://127.0.0.1:6443", "Https://api.example/a"));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_TRUE(parsed->tls);
  EXPECT_EQ(parsed->server.port, 443);
  EXPECT_EQ(parsed->path_prefix, "/a");
}

TEST(kubeconfig_codec, truth_in_each_spelling_that_kubectl_takes) {
  const auto insecure = [](const std::string& word) {
    return parse_kubeconfig(with("certificate-authority-data: Y2E=", "insecure-skip-tls-verify: " + word))
        .value()
        .insecure;
  };
  for (const char* word : {"true", "True", "TRUE", "yes", "Yes", "on", "ON", "y", "Y"}) EXPECT_TRUE(insecure(word));
  for (const char* word : {"false", "False", "no", "NO", "off", "Off", "n", "~", "''"}) EXPECT_FALSE(insecure(word));
}

// kubectl then sends no credentials.
TEST(kubeconfig_codec, a_user_entry_without_a_user) {
  const auto at = k3s.find("  user:\n    client-certificate-data");
  ASSERT_NE(at, std::string::npos);
  for (const char* user : {"", "  user:\n", "  user: {}\n", "  user: null\n"}) {
    const auto parsed = parse_kubeconfig(k3s.substr(0, at) + user);
    ASSERT_TRUE(parsed) << user << parsed.error().message();
    EXPECT_EQ(parsed->client_cert_pem, "");
    EXPECT_EQ(parsed->ca_pem, "ca");
  }
}

TEST(kubeconfig_codec, merged_maps) {
  const auto parsed = parse_kubeconfig(
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
      "base: &base {server: 'https://base', tls-server-name: kubernetes}\n"
      "trust: &trust {server: 'https://trust', certificate-authority: ca.pem}\n"
      "clusters: [{name: c, cluster: {<<: [*base, *trust], server: 'https://own'}}]\n"
      "keys: &keys {name: u, user: {token: secret}}\nusers: [{<<: *keys}]\n");
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->server.host, "own") << "a map's own entries are stronger";
  EXPECT_EQ(parsed->tls_server_name, "kubernetes");
  EXPECT_EQ(parsed->ca_file, "ca.pem");
  EXPECT_EQ(parsed->token, "secret");
  const std::string contexts = "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n";
  const auto first = parse_kubeconfig(contexts + "a: &a {server: 'https://first'}\nb: &b {server: 'https://second'}\n" +
                                      "clusters: [{name: c, cluster: {<<: [*a, *b]}}]\n");
  EXPECT_EQ(first->server.host, "first") << "of several the first";
  EXPECT_THAT(error(contexts + "a: &a {server: 'https://h'}\nclusters: [{name: c, cluster: {'<<': *a}}]\n"),
              HasSubstr("server: is missing"))
      << "in quotes it is a name like others";
}

// Each level doubles the number of ways, and a map may merge itself.
TEST(kubeconfig_codec, merges_without_an_end) {
  std::string text = "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\na0: &a0 {k: v}\n";
  for (int i = 1; i < 40; ++i)
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {<<: [*a" + std::to_string(i - 1) + ", *a" +
            std::to_string(i - 1) + "]}\n";
  EXPECT_THAT(error(text + "clusters: [{name: c, cluster: {<<: *a39}}]\n"), HasSubstr("<<: too many maps"));
  EXPECT_NE(error("current-context: x\ncontexts: &c [{name: x, context: &d {<<: *d}}]\n"), "");
}

TEST(kubeconfig_codec, the_current_context_counts) {
  const auto text = with("clusters:\n", "clusters:\n- cluster: {server: 'https://other'}\n  name: other\n");
  EXPECT_EQ(parse_kubeconfig(text)->server.host, "127.0.0.1");
  EXPECT_EQ(parse_kubeconfig(with("    cluster: default", "    cluster: gone")).has_value(), false);
  EXPECT_THAT(error(with("current-context: default", "current-context: gone")),
              HasSubstr("contexts: there is no \"gone\""));
  EXPECT_THAT(error(with("current-context: default", "current-context: ''")), HasSubstr("current-context: is missing"));
  EXPECT_THAT(error(with("    user: default", "    user: gone")), HasSubstr("users: there is no \"gone\""));
  EXPECT_EQ(error(with("    user: default\n", "")), "") << "no credentials";
}

TEST(kubeconfig_codec, other_ways_to_prove_oneself) {
  const auto certificates = std::string("    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n");
  EXPECT_EQ(parse_kubeconfig(with(certificates, "    token: secret\n"))->token, "secret");
  EXPECT_EQ(parse_kubeconfig(with(certificates, "    tokenFile: /run/token\n"))->token_file, "/run/token");
  EXPECT_EQ(
      parse_kubeconfig(with(certificates, "    client-certificate: c.pem\n    client-key: k.pem\n"))->client_key_file,
      "k.pem");
  EXPECT_THAT(error(with("    client-key-data: a2V5\n", "")), HasSubstr("client-key-data: is missing"));
  EXPECT_THAT(error(with("    client-certificate-data: Y2VydA==\n", "")),
              HasSubstr("client-certificate-data: is missing"));
  EXPECT_THAT(error(with(certificates, "    exec: {command: aws}\n")),
              HasSubstr("exec: credential plugins are not supported"));
  EXPECT_THAT(error(with(certificates, "    auth-provider: {name: gcp}\n")), HasSubstr("auth-provider: "));
  EXPECT_THAT(error(with(certificates, "    username: me\n    password: x\n")), HasSubstr("username: "));
}

TEST(kubeconfig_codec, trust) {
  EXPECT_TRUE(parse_kubeconfig(with("certificate-authority-data: Y2E=", "insecure-skip-tls-verify: true"))->insecure);
  EXPECT_EQ(parse_kubeconfig(with("certificate-authority-data: Y2E=", "tls-server-name: kubernetes"))->tls_server_name,
            "kubernetes");
  EXPECT_EQ(parse_kubeconfig(with("certificate-authority-data: Y2E=", "certificate-authority: ca.pem"))->ca_file,
            "ca.pem");
  EXPECT_THAT(error(with("certificate-authority-data: Y2E=",
                         "certificate-authority-data: Y2E=\n    insecure-skip-tls-verify: true")),
              HasSubstr("insecure-skip-tls-verify: contradicts"));
  EXPECT_THAT(error(with("certificate-authority-data: Y2E=", "insecure-skip-tls-verify: perhaps")),
              HasSubstr("neither true nor false"));
  EXPECT_THAT(error(with("certificate-authority-data: Y2E=", "proxy-url: http://proxy")), HasSubstr("proxy-url: "));
  EXPECT_THAT(error(with("Y2E=", "Y2E")), HasSubstr("certificate-authority-data: incomplete base64"));
}

TEST(kubeconfig_codec, whatever_the_bytes_are_there_is_an_answer) {
  for (const char* text : {"", "null", "7", "[]", "{}", "\xff\xfe", "a: [", "- - -", "clusters: 7\ncurrent-context: x"})
    EXPECT_NE(error(text), "") << text;
  EXPECT_THAT(error("a: b\nc: [d\n"), HasSubstr("kubeconfig line "));
  EXPECT_NE(error(std::string(2 << 20, ' ')), "");
  EXPECT_NE(error(std::string(100'000, '[')), "");
  EXPECT_NE(error("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n"), "");
  EXPECT_EQ(
      error(
          R"({"current-context":"x","contexts":[{"name":"x","context":{"cluster":"c"}}],"clusters":[{"name":"c","cluster":{"server":"https://h"}}]})"),
      "");
}

TEST(kubeconfig_codec, half_written_it_never_names_another_cluster) {
  for (std::size_t length = 0; length < k3s.size(); ++length) {
    const auto parsed = parse_kubeconfig(k3s.substr(0, length));
    if (!parsed) continue;
    EXPECT_EQ(parsed->server.host, "127.0.0.1") << length;
    EXPECT_EQ(parsed->ca_pem, "ca") << length;
    EXPECT_EQ(parsed->client_cert_pem.empty(), parsed->client_key_pem.empty()) << length << ": no credentials at most";
  }
}

}  // namespace
}  // namespace kubernetes
