// What takes the place of glibc's calls that need modules, in static programs (cmake/static_programs.cmake). Libraries
// refer to them: OpenSSL for plug-ins and for sockets of its own, c-ares for names of services, Asio for its resolver.
// No program relies on one of them; each fails as if there were no module and no database.
#include <netdb.h>
#include <sys/socket.h>

#include <cstddef>

extern "C" {

void* __wrap_dlopen(const char* /*file*/, int /*flags*/);
int __wrap_getaddrinfo(const char* /*host*/, const char* /*service*/, const addrinfo* /*hints*/, addrinfo** /*found*/);
void __wrap_freeaddrinfo(addrinfo* /*found*/);
int __wrap_getnameinfo(const sockaddr* /*address*/, socklen_t /*size*/, char* /*host*/, socklen_t /*host_size*/,
                       char* /*service*/, socklen_t /*service_size*/, int /*flags*/);
hostent* __wrap_gethostbyname(const char* /*name*/);
servent* __wrap_getservbyname(const char* /*name*/, const char* /*protocol*/);
int __wrap_getservbyport_r(int /*port*/, const char* /*protocol*/, servent* /*into*/, char* /*buffer*/, size_t /*size*/,
                           servent** /*found*/);

void* __wrap_dlopen(const char* /*file*/, int /*flags*/) { return nullptr; }

int __wrap_getaddrinfo(const char* /*host*/, const char* /*service*/, const addrinfo* /*hints*/, addrinfo** /*found*/) {
  return EAI_FAIL;
}

void __wrap_freeaddrinfo(addrinfo* /*found*/) {}

int __wrap_getnameinfo(const sockaddr* /*address*/, socklen_t /*size*/, char* /*host*/, socklen_t /*host_size*/,
                       char* /*service*/, socklen_t /*service_size*/, int /*flags*/) {
  return EAI_FAIL;
}

hostent* __wrap_gethostbyname(const char* /*name*/) { return nullptr; }

servent* __wrap_getservbyname(const char* /*name*/, const char* /*protocol*/) { return nullptr; }

int __wrap_getservbyport_r(int /*port*/, const char* /*protocol*/, servent* /*into*/, char* /*buffer*/, size_t /*size*/,
                           servent** found) {
  *found = nullptr;
  return 0;
}

}  // extern "C"
