#include <chrono>
#include <cstdlib>
#include <expected>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/blocking_calls.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/server_address.hpp"
#include "http/tls.hpp"
#include "sources/docker/docker_codec.hpp"
#include "sources/docker/docker_source.hpp"

namespace docker {
namespace {

constexpr std::chrono::milliseconds patience{2'000};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Blocks: at start-up nothing else runs yet. The deadline turns a file system that hangs into an error.
base::result<std::string> read_pem(const std::string& path) {
  auto text = async::call_within(patience, [path] { return base::read_file(path); });
  if (!text && text.error().code == std::errc::timed_out) return base::fail(path + ": its file system does not answer");
  if (text && text->empty()) return base::fail(path + " is empty");
  return text;
}

// As Go's client reads the variables: DOCKER_CERT_PATH alone turns on TLS with a client certificate, and
// DOCKER_TLS_VERIFY the check of the engine's certificate.
base::result<std::shared_ptr<const http::tls_context>> tls_from_environment() {
  const auto directory = variable("DOCKER_CERT_PATH");
  if (directory.empty()) return nullptr;
  http::tls_settings settings{.insecure = variable("DOCKER_TLS_VERIFY").empty()};
  std::vector<std::pair<const char*, std::string*>> files{{"/cert.pem", &settings.client_cert_pem},
                                                          {"/key.pem", &settings.client_key_pem}};
  if (!settings.insecure) files.emplace_back("/ca.pem", &settings.ca_pem);
  for (const auto& [name, into] : files) {
    auto text = read_pem(directory + name);
    if (!text) return base::fail("DOCKER_CERT_PATH: " + text.error().message());
    *into = std::move(*text);
  }
  auto made = http::tls_context::make(settings);
  if (!made) return base::fail("DOCKER_CERT_PATH: " + made.error().message());
  return made;
}

}  // namespace

base::result<docker_options> options_from_environment(const std::string& socket) {
  docker_options options;
  const auto host = variable("DOCKER_HOST");
  if (!socket.empty() || !host.empty()) {
    auto engine = http::parse_server_address(socket.empty() ? host : "unix://" + socket);
    if (!engine) return base::fail((socket.empty() ? "DOCKER_HOST: " : "-docker-socket: ") + engine.error().message());
    options.engine = std::move(*engine);
  }
  if (options.engine.path.empty()) {
    auto tls = tls_from_environment();
    if (!tls) return std::unexpected(tls.error());
    options.tls = std::move(*tls);
  }
  options.api_version = variable("DOCKER_API_VERSION");
  if (!options.api_version.empty() && !choose_version(options.api_version))
    return base::fail("DOCKER_API_VERSION: \"" + base::printable(options.api_version) +
                      "\" is not an API version (e.g. 1.41)");
  return options;
}

}  // namespace docker
