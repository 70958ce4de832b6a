// kubeconfig: a kubeconfig with the files that it names, read.
#pragma once

#include <filesystem>
#include <string>

#include "sources/kubernetes/kubeconfig_codec.hpp"

namespace kubernetes {

// All that is needed to reach a cluster; texts are PEM.
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

// Only regular files of 1 MiB at most are read, without waiting. A kubeconfig that is not there is
// std::errc::no_such_file_or_directory.
[[nodiscard]] base::result<cluster_access> load_kubeconfig(const std::filesystem::path& file);

}  // namespace kubernetes
