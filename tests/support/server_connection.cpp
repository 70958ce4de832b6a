#include "tests/support/server_connection.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

#include "base/text.hpp"

namespace support {
namespace {

X509* read_cert(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return cert;
}

EVP_PKEY* read_key(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return key;
}

}  // namespace

server_tls::server_tls(const certificate& own, const std::string& client_ca_pem, bool required)
    : context_(SSL_CTX_new(TLS_server_method())) {
  X509* cert = read_cert(own.cert_pem);
  EVP_PKEY* key = read_key(own.key_pem);
  const bool used = SSL_CTX_use_certificate(context_, cert) == 1 && SSL_CTX_use_PrivateKey(context_, key) == 1;
  X509_free(cert);
  EVP_PKEY_free(key);
  if (!used) throw std::runtime_error("server_tls: certificate");
  if (client_ca_pem.empty()) return;
  X509* ca = read_cert(client_ca_pem);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), ca);
  X509_free(ca);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
}

server_tls::~server_tls() { SSL_CTX_free(context_); }

server_connection::~server_connection() {
  if (ssl_ != nullptr) SSL_free(ssl_);
}

bool server_connection::start_tls(const server_tls& tls) {
  ssl_ = SSL_new(tls.context());
  SSL_set_fd(ssl_, fd_.get());
  const bool well = SSL_accept(ssl_) == 1;
  ERR_clear_error();
  return well;
}

std::optional<server_request> server_connection::read_request() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    char bytes[4096];
    const auto n = ssl_ != nullptr ? SSL_read(ssl_, bytes, sizeof bytes)
                                   : static_cast<int>(::recv(fd_.get(), bytes, sizeof bytes, 0));
    if (n <= 0 || buffer_.size() > (64 << 10)) return std::nullopt;
    buffer_.append(bytes, static_cast<std::size_t>(n));
  }
  server_request made;
  const auto head = buffer_.substr(0, end);
  buffer_.erase(0, end + 4);
  bool first = true;
  for (auto line : base::split(head, '\n')) {
    line = base::trim(line);
    const auto mark = line.find(first ? ' ' : ':');
    if (mark == std::string_view::npos) return std::nullopt;
    if (first) {
      made.method = line.substr(0, mark);
      made.target = line.substr(mark + 1, line.rfind(' ') - mark - 1);
    } else {
      made.headers[base::to_lower(line.substr(0, mark))] = base::trim(line.substr(mark + 1));
    }
    first = false;
  }
  return made;
}

bool server_connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                   : static_cast<int>(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool server_connection::write_answer(int status, std::string_view body, std::string_view type) {
  return write(fmt::format("HTTP/1.1 {} Status\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}", status, type,
                           header_lines_, body.size(), body));
}

bool server_connection::write_half_of_answer(std::string_view body) {
  return write(
      fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body.substr(0, body.size() / 2)));
}

bool server_connection::write_stream_head() {
  return write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + header_lines_ +
               "Transfer-Encoding: chunked\r\n\r\n");
}

bool server_connection::write_chunk(std::string_view bytes) {
  return write(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
}

bool server_connection::gone() const {
  char byte = 0;
  const auto n = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

void server_connection::cut() { ::shutdown(fd_.get(), SHUT_RDWR); }

}  // namespace support
