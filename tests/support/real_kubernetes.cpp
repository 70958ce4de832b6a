#include "tests/support/real_kubernetes.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "tests/support/eventually.hpp"
#include "tests/support/kubeconfig_text.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

constexpr const char* etcd_url = "http://127.0.0.1:2379";
constexpr const char* api_url = "https://127.0.0.1:16443";

std::string named_by(const char* variable, const char* otherwise = "") {
  const char* value = ::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string to_manifest(const fake_kubernetes::service& s) {
  std::string ports;
  for (const auto& p : s.ports)
    ports += fmt::format(R"({}{{"name":"{}-{}","protocol":"{}","port":{}{}}})", ports.empty() ? "" : ",",
                         p.protocol == "UDP" ? "u" : "t", p.number, p.protocol, p.number,
                         p.node_port == 0 ? "" : fmt::format(R"(,"nodePort":{})", p.node_port));
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{}","namespace":"{}"}},"spec":{{"type":"{}","ports":[{}]}}}})",
      s.name, s.name_space, s.type, ports);
}

}  // namespace

std::string real_kubernetes::missing() {
  for (const char* variable : {"KUBE_APISERVER", "ETCD"})
    if (::access(named_by(variable).c_str(), X_OK) != 0) return fmt::format("{} names no program", variable);
  if (run_command({.argv = {named_by("KUBECTL", "kubectl"), "version", "--client"}}).exit_code != 0)
    return "there is no kubectl, in PATH or named by KUBECTL";
  return {};
}

real_kubernetes::real_kubernetes(const netns& where, fs::path directory, const test_authority& authority)
    : where_(where),
      directory_(std::move(directory)),
      ca_pem_(authority.ca_pem()),
      client_(authority.make_client("agent")) {
  fs::create_directories(directory_);
  const auto own = authority.make_server();
  const auto write = [this](const char* name, const std::string& text) { std::ofstream(directory_ / name) << text; };
  write("ca.pem", ca_pem_);
  write("server.pem", own.cert_pem);
  write("server-key.pem", own.key_pem);
  write("kubeconfig", kubeconfig());
}

child_process real_kubernetes::launch(const char* name, std::vector<std::string> argv) const {
  return child_process(
      {.argv = std::move(argv), .log = directory_ / (std::string(name) + ".log"), .net_namespace = where_.path()});
}

void real_kubernetes::start() {
  const auto file = [this](const char* name) { return (directory_ / name).string(); };
  if (!etcd_.running())
    etcd_ = launch(
        "etcd", {named_by("ETCD"), "--data-dir=" + file("etcd"), "--unsafe-no-fsync",
                 fmt::format("--listen-client-urls={}", etcd_url), fmt::format("--advertise-client-urls={}", etcd_url),
                 "--listen-peer-urls=http://127.0.0.1:2380"});
  server_ = launch(
      "kube-apiserver",
      {named_by("KUBE_APISERVER"), fmt::format("--etcd-servers={}", etcd_url), "--bind-address=127.0.0.1",
       "--secure-port=16443", "--advertise-address=192.168.127.2", "--endpoint-reconciler-type=none",
       "--service-cluster-ip-range=10.43.0.0/16", "--tls-cert-file=" + file("server.pem"),
       "--tls-private-key-file=" + file("server-key.pem"), "--client-ca-file=" + file("ca.pem"),
       "--anonymous-auth=false", "--authorization-mode=AlwaysAllow", "--cert-dir=" + file("certificates"),
       "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + file("server.pem"),
       "--service-account-signing-key-file=" + file("server-key.pem")});
  const auto ready = [this] { return kubectl({"get", "--raw", "/readyz"}).exit_code == 0; };
  if (!eventually(std::chrono::seconds(60), [&] { return ready() || !server_.running(); }) || !server_.running())
    throw std::runtime_error("kube-apiserver does not start:\n" + log());
}

void real_kubernetes::stop() { server_.kill9(); }

command_output real_kubernetes::kubectl(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {named_by("KUBECTL", "kubectl"), "--kubeconfig", directory_ / "kubeconfig"});
  return run_command(
      {.argv = std::move(arguments), .environment = {"HOME=" + directory_.string()}, .net_namespace = where_.path()});
}

void real_kubernetes::kubectl_or_throw(std::vector<std::string> arguments) const {
  if (const auto ended = kubectl(std::move(arguments)); ended.exit_code != 0)
    throw std::runtime_error("kubectl: " + ended.text);
}

// On the server's side: kubectl's own way of applying takes TCP and UDP on one number for one port.
void real_kubernetes::put(const fake_kubernetes::service& s) const {
  const auto manifest = directory_ / "service.json";
  std::ofstream(manifest) << to_manifest(s);
  kubectl_or_throw({"apply", "--server-side", "--force-conflicts", "-f", manifest});
}

void real_kubernetes::remove(const std::string& name, const std::string& name_space) const {
  kubectl_or_throw({"delete", "service", "-n", name_space, name});
}

std::string real_kubernetes::kubeconfig() const { return make_kubeconfig(api_url, ca_pem_, &client_); }

}  // namespace support
