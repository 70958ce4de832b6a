// What takes the place of glibc's calls that need modules, in static programs (cmake/static_programs.cmake). Libraries
// refer to them: OpenSSL for plug-ins and for sockets of its own, c-ares for names of services, Asio for its resolver.
// No program relies on one of them; each fails as if there were no module and no database.
//
// And what takes the place of parts of the C++ runtime that are large and of little use (docs/adr/0030).
#include <cxxabi.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <typeinfo>

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

namespace {

void say(const char* text) {
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;  // stderr is the last resort
}

}  // namespace

namespace __gnu_cxx {

// What std::terminate calls. The runtime's own prints the readable name of the exception's type, for which it brings a
// demangler of 50 KB.
void __verbose_terminate_handler() {
  say("terminate: ");
  if (const auto* type = abi::__cxa_current_exception_type()) {
    say(type->name());
    try {
      throw;
    } catch (const std::exception& e) {
      say(": ");
      say(e.what());
    } catch (...) {
      say(": not a std::exception");
    }
  } else {
    say("no exception");
  }
  say("\n");
  std::abort();
}

}  // namespace __gnu_cxx
