// kubeconfig: a kubeconfig with the contents of the files that it names.
#pragma once

#include <filesystem>
#include <string>

#include "async/blocking_calls.hpp"
#include "sources/kubernetes/kubeconfig_codec.hpp"

namespace kubernetes {

// Everything that is needed to reach a cluster; texts are PEM.
struct cluster_access {
  http::server_address server;
  bool tls = true;
  std::string path_prefix;
  std::string ca_pem;
  bool insecure = false;
  std::string tls_server_name;
  std::string client_cert_pem, client_key_pem;
  std::string token;
  bool operator==(const cluster_access&) const = default;
};

// Reads a kubeconfig, and the files that it names, beside the control thread: their file system may hang. Each file has
// one second. A file that hangs is not read again before that reading has ended.
class kubeconfig_reader {
 public:
  explicit kubeconfig_reader(std::filesystem::path file);

  // Only regular files of 1 MiB at most are read. A kubeconfig that does not exist is
  // std::errc::no_such_file_or_directory, and one that hangs std::errc::timed_out; the files that it names never are.
  // Cancelled: throws operation_aborted at once.
  async::task<base::result<cluster_access>> read();

 private:
  async::task<base::result<std::string>> read_file(std::string path);
  async::task<base::result<std::string>> read_named(std::string given, std::string file, const char* key);

  std::filesystem::path file_;
  async::blocking_calls calls_;
};

}  // namespace kubernetes
