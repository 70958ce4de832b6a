#include "sources/kubernetes/kubeconfig_codec.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "http/server_address.hpp"
#include "sources/kubernetes/base64.hpp"

namespace kubernetes {
namespace {

constexpr std::size_t longest_text = 1 << 20;
constexpr std::size_t most_merged = 64;

// Ends the reading at the first error; caught in parse_kubeconfig.
struct wrong {
  std::string why;
};

[[noreturn]] void fail(const std::string& key, const std::string& why) {
  throw wrong{"kubeconfig: " + key + ": " + why};
}

// `<<:` without quotes, whose value is a map or a list of maps.
void add_merged(const YAML::Node& map, std::vector<YAML::Node>& to) {
  for (const auto& entry : map) {
    if (!entry.first.IsScalar() || entry.first.Scalar() != "<<" || entry.first.Tag() == "!") continue;
    if (entry.second.IsMap()) to.push_back(entry.second);
    if (!entry.second.IsSequence()) continue;
    for (const auto& one : entry.second)
      if (one.IsMap()) to.push_back(one);
  }
}

// A map's own entry, or else the first of the maps that are merged into it. Maps can merge themselves or many others:
// the number is limited.
YAML::Node member(const YAML::Node& map, const char* name) {
  std::vector<YAML::Node> todo;
  if (map.IsMap()) todo.push_back(map);
  for (std::size_t looked = 0; !todo.empty(); ++looked) {
    if (looked == most_merged) fail("<<", "too many maps are merged");
    const auto one = todo.back();
    todo.pop_back();
    if (const auto own = one[name]; own.IsDefined()) return own;
    std::vector<YAML::Node> merged;
    add_merged(one, merged);
    todo.insert(todo.end(), merged.rbegin(), merged.rend());
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

std::string text_of(const YAML::Node& map, const char* name) {
  const auto node = member(map, name);
  if (!node.IsDefined() || node.IsNull()) return {};
  if (!node.IsScalar()) fail(name, "expected a text");
  return node.Scalar();
}

bool truth_of(const YAML::Node& map, const char* name) {
  const auto text = base::to_lower(text_of(map, name));
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
  };
  if (is_one_of({"", "false", "no", "off", "n"})) return false;
  if (is_one_of({"true", "yes", "on", "y"})) return true;
  fail(name, "neither true nor false");
}

std::string data_of(const YAML::Node& map, const char* name) {
  auto decoded = decode_base64(text_of(map, name));
  if (!decoded) fail(name, decoded.error().message());
  return std::move(*decoded);
}

// The first entry of that name in a list of {name: …, <what>: {…}}.
YAML::Node find_entry(const YAML::Node& root, const char* list, const char* what, const std::string& name) {
  const auto entries = member(root, list);
  if (entries.IsDefined() && entries.IsSequence())
    for (const auto& entry : entries)
      if (entry.IsMap() && text_of(entry, "name") == name) return member(entry, what);
  fail(list, "there is no \"" + base::printable(name) + "\"");
}

void refuse(const YAML::Node& map, const char* name, const char* why) {
  const auto node = member(map, name);
  if (node.IsDefined() && !node.IsNull() && !(node.IsScalar() && node.Scalar().empty())) fail(name, why);
}

// As in client-go: a server without a scheme uses TLS if the kubeconfig mentions certificates.
bool is_about_tls(const cluster_reference& c) {
  return c.insecure || !c.ca_pem.empty() || !c.ca_file.empty() || !c.client_cert_pem.empty() ||
         !c.client_cert_file.empty();
}

// What follows the authority, without slashes at its end.
std::string path_prefix_of(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  const auto invalid = [](char c) { return c <= ' ' || c == '?' || c == '#' || c == 0x7f; };
  if (std::ranges::any_of(path, invalid)) fail("server", "invalid character in its path");
  return std::string(path);
}

bool has_port(std::string_view authority) {
  const auto bracket = authority.find(']');
  return authority.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos;
}

// Last, since is_about_tls needs the rest.
void read_server(cluster_reference& into, std::string url) {
  if (url.empty()) fail("server", "is missing");
  if (!url.contains("://")) url = (is_about_tls(into) ? "https://" : "http://") + url;
  const auto scheme = base::to_lower(url.substr(0, url.find("://")));
  into.tls = scheme == "https";
  if (!into.tls && scheme != "http") fail("server", "neither https:// nor http://: " + base::printable(url, 200));
  const auto begin = url.find("://") + 3;
  const auto slash = std::min(url.find_first_of("/?#", begin), url.size());
  const auto authority = url.substr(begin, slash - begin);
  into.path_prefix = path_prefix_of(std::string_view(url).substr(slash));
  auto parsed = http::parse_server_address("http://" + authority);
  if (!parsed) fail("server", parsed.error().message());
  into.server = std::move(*parsed);
  if (into.tls && !has_port(authority)) into.server.port = 443;
}

void read_cluster(cluster_reference& into, const YAML::Node& cluster) {
  if (!cluster.IsMap()) fail("cluster", "is missing");
  refuse(cluster, "proxy-url", "proxies are not supported: the API is expected in this VM");
  into.ca_pem = data_of(cluster, "certificate-authority-data");
  into.ca_file = text_of(cluster, "certificate-authority");
  into.insecure = truth_of(cluster, "insecure-skip-tls-verify");
  into.tls_server_name = text_of(cluster, "tls-server-name");
  if (into.insecure && (!into.ca_pem.empty() || !into.ca_file.empty()))
    fail("insecure-skip-tls-verify", "contradicts certificate-authority");
}

void read_user(cluster_reference& into, const YAML::Node& user) {
  if (!user.IsMap()) return;
  refuse(user, "exec", "credential plugins are not supported: give a certificate or a token");
  refuse(user, "auth-provider", "auth providers are not supported: give a certificate or a token");
  refuse(user, "username", "user names with passwords are not supported: give a certificate or a token");
  into.client_cert_pem = data_of(user, "client-certificate-data");
  into.client_cert_file = text_of(user, "client-certificate");
  into.client_key_pem = data_of(user, "client-key-data");
  into.client_key_file = text_of(user, "client-key");
  into.token = text_of(user, "token");
  into.token_file = text_of(user, "tokenFile");
  const bool cert = !into.client_cert_pem.empty() || !into.client_cert_file.empty();
  const bool key = !into.client_key_pem.empty() || !into.client_key_file.empty();
  if (cert != key) fail(cert ? "client-key-data" : "client-certificate-data", "is missing beside its counterpart");
}

cluster_reference read(const YAML::Node& root) {
  if (!root.IsMap()) fail("the file", "is empty or not a kubeconfig");
  const auto current = text_of(root, "current-context");
  if (current.empty()) fail("current-context", "is missing");
  const auto context = find_entry(root, "contexts", "context", current);
  cluster_reference made;
  const auto cluster = find_entry(root, "clusters", "cluster", text_of(context, "cluster"));
  read_cluster(made, cluster);
  if (const auto user = text_of(context, "user"); !user.empty())
    read_user(made, find_entry(root, "users", "user", user));
  read_server(made, text_of(cluster, "server"));
  return made;
}

}  // namespace

base::result<cluster_reference> parse_kubeconfig(std::string_view text) try {
  if (text.size() > longest_text) return base::fail("kubeconfig: larger than 1 MiB");
  return read(YAML::Load(std::string(text)));
} catch (const wrong& w) {
  return base::fail(w.why);
} catch (const YAML::Exception& e) {
  const auto line = e.mark.is_null() ? std::string() : " line " + std::to_string(e.mark.line + 1);
  return base::fail("kubeconfig" + line + ": " + base::printable(e.msg, 200));
}

}  // namespace kubernetes
