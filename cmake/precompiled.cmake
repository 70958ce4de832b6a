# Precompiled headers: for libraries that use Asio, for their tests, and for tests of pure libraries. They only save time.
# Pure libraries have none: their files compile quickly, and Asio stays out of them.
set(GUESTAGENT_PRECOMPILED ON CACHE BOOL "Precompile the large headers of libraries")

# Two compilations of one header are then equal, so ccache can reuse files compiled with it.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")

set(guestagent_std_headers
  <algorithm> <array> <chrono> <cstdint> <filesystem> <functional> <map> <memory> <optional> <set> <span> <string>
  <string_view> <utility> <vector> <expected> <fmt/format.h>)
set(guestagent_asio_headers
  <boost/asio/any_io_executor.hpp> <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp> <boost/asio/basic_waitable_timer.hpp>
  <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp> <boost/asio/posix/stream_descriptor.hpp> <boost/asio/this_coro.hpp>
  <boost/asio/use_awaitable.hpp>)

# guestagent_precompile(<name> [PROGRAMS] HEADERS … USES …): a target whose precompiled header others use: libraries, or
# the tests' programs. CMake compiles the two differently if the code is position-independent, and with sanitizers the
# tests are not optimised. A header must match its users.
function(guestagent_precompile name)
  cmake_parse_arguments(ARG "PROGRAMS" "" "HEADERS;USES" ${ARGN})
  file(WRITE "${CMAKE_BINARY_DIR}/${name}.cpp" "// Only carries a precompiled header.\n")
  add_library(${name} OBJECT "${CMAKE_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PRIVATE ${ARG_USES})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
  if(ARG_PROGRAMS)
    target_compile_options(${name} PRIVATE ${guestagent_test_options})
  endif()
  if(ARG_PROGRAMS AND CMAKE_POSITION_INDEPENDENT_CODE)
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIE)
  endif()
endfunction()

if(GUESTAGENT_PRECOMPILED)
  guestagent_precompile(guestagent_asio_precompiled
    HEADERS ${guestagent_std_headers} ${guestagent_asio_headers} USES ${GUESTAGENT_FMT} guestagent_asio)
  if(BUILD_TESTING)
    guestagent_precompile(guestagent_pure_test_precompiled PROGRAMS
      HEADERS ${guestagent_std_headers} <gtest/gtest.h> <gmock/gmock.h> USES ${GUESTAGENT_FMT} GTest::gmock GTest::gtest)
    guestagent_precompile(guestagent_asio_test_precompiled PROGRAMS
      HEADERS ${guestagent_std_headers} ${guestagent_asio_headers} <gtest/gtest.h> <gmock/gmock.h>
      USES ${GUESTAGENT_FMT} guestagent_asio GTest::gmock GTest::gtest)
  endif()
endif()

# guestagent_uses_asio(<result> <target>…): whether one of the targets uses Asio. Directories are added in the order of the
# layers, so a target's dependencies are already defined.
function(guestagent_uses_asio result)
  set(${result} OFF PARENT_SCOPE)
  foreach(used ${ARGN})
    if(TARGET ${used})
      get_target_property(asio ${used} INTERFACE_GUESTAGENT_ASIO)
      if(asio)
        set(${result} ON PARENT_SCOPE)
      endif()
    endif()
  endforeach()
endfunction()

# guestagent_use_precompiled(<target> asio|asio_test|pure_test)
function(guestagent_use_precompiled target which)
  if(GUESTAGENT_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM guestagent_${which}_precompiled)
  endif()
endfunction()

# Also sets the options of a test program, which its header must share.
function(guestagent_use_test_precompiled target)
  target_compile_options(${target} PRIVATE ${guestagent_test_options})
  guestagent_uses_asio(asio ${ARGN})
  if(asio)
    guestagent_use_precompiled(${target} asio_test)
  else()
    guestagent_use_precompiled(${target} pure_test)
  endif()
endfunction()
