#include "tests/support/kubeconfig_text.hpp"

#include <openssl/evp.h>

namespace support {
namespace {

std::string to_base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                 reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(n));
  return text;
}

}  // namespace

std::string make_kubeconfig(const std::string& url, const std::string& ca_pem, const certificate* client,
                            const std::string& token) {
  std::string ca, user;
  if (!ca_pem.empty()) ca = "    certificate-authority-data: " + to_base64(ca_pem) + "\n";
  if (client != nullptr)
    user += "    client-certificate-data: " + to_base64(client->cert_pem) +
            "\n    client-key-data: " + to_base64(client->key_pem) + "\n";
  if (!token.empty()) user += "    token: " + token + "\n";
  return "apiVersion: v1\nclusters:\n- cluster:\n" + ca + "    server: " + url +
         "\n  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: "
         "default\ncurrent-context: default\n"
         "kind: Config\npreferences: {}\nusers:\n- name: default\n  user:" +
         (user.empty() ? " {}\n" : "\n" + user);
}

}  // namespace support
