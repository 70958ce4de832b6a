#include "sources/kubernetes/kubeconfig.hpp"

#include "base/read_file.hpp"
#include "base/text.hpp"

namespace kubernetes {
namespace {

// Texts are given, or are in a file; relative names begin at the kubeconfig's directory.
class file_reader {
 public:
  explicit file_reader(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::string read(std::string given, const std::string& file, const char* key) {
    if (!given.empty() || file.empty()) return given;
    auto text = base::read_file((directory_ / file).string());
    if (text && !text->empty()) return std::move(*text);
    if (trouble_.context.empty()) trouble_ = text ? base::error{{}, file + " is empty"} : text.error();
    if (key_.empty()) key_ = key;
    return {};
  }
  // The first file that could not be read. Its code is not passed on: it is not the kubeconfig that is missing.
  [[nodiscard]] base::result<> outcome() const {
    if (key_.empty()) return {};
    return base::fail("kubeconfig: " + key_ + ": " + trouble_.message());
  }

 private:
  std::filesystem::path directory_;
  base::error trouble_;
  std::string key_;
};

}  // namespace

base::result<cluster_access> load_kubeconfig(const std::filesystem::path& file) {
  const auto text = base::read_file(file.string());
  if (!text) return std::unexpected(text.error());
  auto parsed = parse_kubeconfig(*text);
  if (!parsed) return std::unexpected(parsed.error());
  file_reader files(file.parent_path());
  cluster_access made;
  made.server = std::move(parsed->server);
  made.tls = parsed->tls;
  made.path_prefix = std::move(parsed->path_prefix);
  made.ca_pem = files.read(std::move(parsed->ca_pem), parsed->ca_file, "certificate-authority");
  made.insecure = parsed->insecure;
  made.tls_server_name = std::move(parsed->tls_server_name);
  made.client_cert_pem = files.read(std::move(parsed->client_cert_pem), parsed->client_cert_file, "client-certificate");
  made.client_key_pem = files.read(std::move(parsed->client_key_pem), parsed->client_key_file, "client-key");
  if (!parsed->token_file.empty()) parsed->token.clear();
  made.token = base::trim(files.read(std::move(parsed->token), parsed->token_file, "tokenFile"));
  for (const char c : made.token)
    if (c <= ' ' || c == 0x7f) return base::fail("kubeconfig: token: a character that is not allowed");
  if (auto sound = files.outcome(); !sound) return std::unexpected(sound.error());
  return made;
}

}  // namespace kubernetes
