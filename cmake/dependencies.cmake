# Everything comes from Debian's packages; nothing is downloaded at build time.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
# Every shared library costs each program memory: its tables, its relocations, its constructors (docs/adr/0006). The
# shipped programs are static. Debian has no static fmt and spdlog, and header-only builds compile more slowly: builds for
# tests use the shared ones.
if(GUESTAGENT_HARDENING)
  set(GUESTAGENT_FMT fmt::fmt-header-only)
  set(GUESTAGENT_SPDLOG spdlog::spdlog_header_only)
  # Debian's file names the shared fmt for it, which a static program cannot link.
  set_target_properties(spdlog::spdlog_header_only PROPERTIES INTERFACE_LINK_LIBRARIES "Threads::Threads;fmt::fmt-header-only")
  # Without it fmt asks std::locale for separators, and the streams of the C++ library are linked (docs/adr/0030).
  add_compile_definitions(FMT_STATIC_THOUSANDS_SEPARATOR=44)
  add_link_options(-Wl,-z,pack-relative-relocs)
else()
  set(GUESTAGENT_FMT fmt::fmt)
  set(GUESTAGENT_SPDLOG spdlog::spdlog)
endif()
set(OPENSSL_USE_STATIC_LIBS TRUE)
find_package(OpenSSL 3 REQUIRED)
# c-ares, the resolver of all programs. Debian has it static too; its pkg-config file names the shared one.
find_library(CARES_LIBRARY libcares.a REQUIRED)
find_path(CARES_INCLUDE_DIR ares.h REQUIRED)
add_library(guestagent_cares INTERFACE)
target_include_directories(guestagent_cares SYSTEM INTERFACE ${CARES_INCLUDE_DIR})
target_link_libraries(guestagent_cares INTERFACE ${CARES_LIBRARY})
# HTTP/2 and the wire format of messages, for containerd's API (docs/adr/0024).
find_library(NGHTTP2_LIBRARY libnghttp2.a REQUIRED)
find_path(NGHTTP2_INCLUDE_DIR nghttp2/nghttp2.h REQUIRED)
add_library(guestagent_nghttp2 INTERFACE)
target_include_directories(guestagent_nghttp2 SYSTEM INTERFACE ${NGHTTP2_INCLUDE_DIR})
target_link_libraries(guestagent_nghttp2 INTERFACE ${NGHTTP2_LIBRARY})
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_reader.hpp REQUIRED)
add_library(guestagent_protozero INTERFACE)
target_include_directories(guestagent_protozero SYSTEM INTERFACE ${PROTOZERO_INCLUDE_DIR})

find_program(CCACHE ccache)
if(CCACHE)
  # What ccache needs to know about precompiled headers: it compares them by content.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE}")
endif()

add_compile_definitions(GUESTAGENT_VERSION="${PROJECT_VERSION}")

# Boost.Asio and Boost.Beast compiled once (src/async, src/http) instead of in every file that includes them.
add_library(guestagent_asio INTERFACE)
target_compile_definitions(guestagent_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_DISABLE_VISIBILITY)
target_include_directories(guestagent_asio SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_link_libraries(guestagent_asio INTERFACE Threads::Threads)
