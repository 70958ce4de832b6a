// kubeconfigs: any bytes give a result. A valid one names a server and a complete identity.
#include <cstdint>
#include <cstdlib>

#include "sources/kubernetes/kubeconfig_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = kubernetes::parse_kubeconfig({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  if (parsed->server.host.empty() || parsed->server.port == 0) std::abort();
  const bool cert = !parsed->client_cert_pem.empty() || !parsed->client_cert_file.empty();
  const bool key = !parsed->client_key_pem.empty() || !parsed->client_key_file.empty();
  if (cert != key) std::abort();
  return 0;
}
