#include "tests/support/test_certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>

namespace support {
namespace {

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free_all>>;

constexpr long a_day = 24L * 60 * 60;

void check(bool well, const char* what) {
  if (!well) throw std::runtime_error(std::string("test certificate: ") + what);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string to_pem(X509* cert) {
  const bio_ptr bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(bio.get(), cert) == 1, "write");
  return text_of(bio.get());
}

std::string to_pem(EVP_PKEY* key) {
  const bio_ptr bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "write key");
  return text_of(bio.get());
}

void add_extension(X509* cert, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  check(extension != nullptr && X509_add_ext(cert, extension, -1) == 1, value);
  X509_EXTENSION_free(extension);
}

// Not signed yet. Without an issuer it is its own.
cert_ptr make(EVP_PKEY* key, const std::string& name, X509* issuer, int days) {
  static std::atomic<long> serial = 1;
  cert_ptr cert(X509_new());
  X509_set_version(cert.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -30 * a_day);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), days * a_day);
  X509_set_pubkey(cert.get(), key);
  auto* subject = X509_get_subject_name(cert.get());
  const auto* bytes = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, bytes, -1, -1, 0);
  X509_set_issuer_name(cert.get(), issuer == nullptr ? subject : X509_get_subject_name(issuer));
  return cert;
}

}  // namespace

struct test_authority::state {
  key_ptr key{EVP_EC_gen("P-256")};
  cert_ptr cert;

  certificate issue(const std::string& name, int days, int extension, const char* value) const {
    const key_ptr own(EVP_EC_gen("P-256"));
    const auto made = make(own.get(), name, cert.get(), days);
    add_extension(made.get(), cert.get(), extension, value);
    check(X509_sign(made.get(), key.get(), EVP_sha256()) > 0, "sign");
    return {to_pem(made.get()), to_pem(own.get())};
  }
};

test_authority::test_authority() : state_(std::make_unique<state>()) {
  state_->cert = make(state_->key.get(), "test authority", nullptr, 1);
  add_extension(state_->cert.get(), state_->cert.get(), NID_basic_constraints, "critical,CA:TRUE");
  check(X509_sign(state_->cert.get(), state_->key.get(), EVP_sha256()) > 0, "sign");
}
test_authority::test_authority(const test_authority& issuer, const std::string& name)
    : state_(std::make_unique<state>()) {
  X509* above = issuer.state_->cert.get();
  state_->cert = make(state_->key.get(), name, above, 1);
  add_extension(state_->cert.get(), above, NID_basic_constraints, "critical,CA:TRUE");
  check(X509_sign(state_->cert.get(), issuer.state_->key.get(), EVP_sha256()) > 0, "sign");
}
test_authority::~test_authority() = default;

std::string test_authority::ca_pem() const { return to_pem(state_->cert.get()); }

certificate test_authority::make_server(int days) const {
  return state_->issue("server", days, NID_subject_alt_name, "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes");
}

certificate test_authority::make_client(const std::string& common_name, int days) const {
  return state_->issue(common_name, days, NID_ext_key_usage, "clientAuth");
}

}  // namespace support
