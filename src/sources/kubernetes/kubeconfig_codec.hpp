// kubeconfig_codec: what a kubeconfig says about its current context, as client-go reads one, as far as a node's agent
// meets it. Pure and total: whatever the bytes are, there is an answer and no exception. Maps may be merged (`<<: *a`);
// words for true and false are those of YAML 1.1, which kubectl takes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/connection.hpp"

namespace kubernetes {

// How to reach a cluster. Each certificate, key and token is given here or in a file; here is stronger, but for the
// token.
struct cluster_reference {
  http::server_address server;  // host and port
  bool tls = true;
  std::string path_prefix;  // "/k8s/clusters/c-1", without a slash at its end; most often empty
  std::string ca_pem, ca_file;
  bool insecure = false;        // the server's certificate is not checked
  std::string tls_server_name;  // what the certificate has to be for, where it is not the host
  std::string client_cert_pem, client_cert_file;
  std::string client_key_pem, client_key_file;
  std::string token, token_file;
};

// Fails where the text is no YAML (or JSON) of a kubeconfig, where something is missing or contradicts itself, and for
// what is not supported: proxy-url, exec and auth-provider plugins, user names with passwords. The error names the key,
// and the line where the YAML is at fault.
[[nodiscard]] base::result<cluster_reference> parse_kubeconfig(std::string_view text);

}  // namespace kubernetes
