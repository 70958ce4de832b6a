// kubeconfig_codec: the current context of a kubeconfig, as client-go reads it, with the features that a node's
// kubeconfig uses. Pure and total: any bytes lead to a result, none to an exception. Maps may be merged (`<<: *a`);
// true and false have the words of YAML 1.1, which kubectl accepts.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/connection.hpp"

namespace kubernetes {

// How to reach a cluster. Each certificate, key and token is given as text or as a file. The text takes precedence,
// except for the token.
struct cluster_reference {
  http::server_address server;  // host and port
  bool tls = true;
  std::string path_prefix;  // "/k8s/clusters/c-1", without a slash at its end; usually empty
  std::string ca_pem, ca_file;
  bool insecure = false;        // the server's certificate is not checked
  std::string tls_server_name;  // the certificate's name if it is not the host
  std::string client_cert_pem, client_cert_file;
  std::string client_key_pem, client_key_file;
  std::string token, token_file;
};

// Fails if the text is not the YAML (or JSON) of a kubeconfig, is incomplete or contradictory, or uses an unsupported
// feature: proxy-url, exec and auth-provider plugins, user names with passwords. The error names the key, or the line
// if the YAML is invalid.
[[nodiscard]] base::result<cluster_reference> parse_kubeconfig(std::string_view text);

}  // namespace kubernetes
