#include "sources/kubernetes/kubeconfig.hpp"

#include <expected>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "async/task.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "sources/kubernetes/kubeconfig_codec.hpp"

namespace kubernetes {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 1000ms;  // for each file
constexpr unsigned most_hanging = 16;

base::result<> check_token(const std::string& token) {
  for (const char c : token)
    if (c <= ' ' || c == 0x7f) return base::fail("kubeconfig: token: invalid character");
  return {};
}

}  // namespace

kubeconfig_reader::kubeconfig_reader(std::filesystem::path file) : file_(std::move(file)), calls_(most_hanging) {}

async::task<base::result<std::string>> kubeconfig_reader::read_file(std::string path) {
  auto work = [path] { return base::read_file(path); };
  auto text = co_await calls_.run(std::move(work), patience, path);
  if (!text && text.error().code == std::errc::timed_out)
    co_return base::fail(std::errc::timed_out, base::printable(path) + ": its file system does not answer");
  co_return text;
}

// The text itself, or that of the file; relative names begin at the kubeconfig's directory. Drops the code of an error,
// since "no such file" would mean the kubeconfig.
async::task<base::result<std::string>> kubeconfig_reader::read_named(std::string given, std::string file,
                                                                     const char* key) {
  if (!given.empty() || file.empty()) co_return given;
  auto text = co_await read_file((file_.parent_path() / file).string());
  if (text && !text->empty()) co_return text;
  co_return base::fail(std::string("kubeconfig: ") + key + ": " + (text ? file + " is empty" : text.error().message()));
}

async::task<base::result<cluster_access>> kubeconfig_reader::read() {
  const auto text = co_await read_file(file_.string());
  if (!text) co_return std::unexpected(text.error());
  auto parsed = parse_kubeconfig(*text);
  if (!parsed) co_return std::unexpected(parsed.error());
  cluster_access made;
  made.server = std::move(parsed->server);
  made.tls = parsed->tls;
  made.path_prefix = std::move(parsed->path_prefix);
  made.insecure = parsed->insecure;
  made.tls_server_name = std::move(parsed->tls_server_name);
  if (!parsed->token_file.empty()) parsed->token.clear();
  const struct {
    std::string *into, *given, *file;
    const char* key;
  } texts[] = {
      {&made.ca_pem, &parsed->ca_pem, &parsed->ca_file, "certificate-authority"},
      {&made.client_cert_pem, &parsed->client_cert_pem, &parsed->client_cert_file, "client-certificate"},
      {&made.client_key_pem, &parsed->client_key_pem, &parsed->client_key_file, "client-key"},
      {&made.token, &parsed->token, &parsed->token_file, "tokenFile"},
  };
  for (const auto& one : texts) {
    auto got = co_await read_named(std::move(*one.given), std::move(*one.file), one.key);
    if (!got) co_return std::unexpected(got.error());
    *one.into = std::move(*got);
  }
  made.token = base::trim(made.token);
  if (auto sound = check_token(made.token); !sound) co_return std::unexpected(sound.error());
  co_return made;
}

}  // namespace kubernetes
