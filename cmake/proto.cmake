# gRPC and the small runtime of protobuf, from Debian's packages. Found by pkg-config: gRPC's CMake package
# needs a CMake package of protobuf, which Debian does not have.
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GRPC REQUIRED grpc++_unsecure protobuf-lite)

# Linked statically: a shared gRPC and its fifty libraries would cost every program memory, with containerd or not.
set(GUESTAGENT_GRPC_LIBRARIES)
foreach(name ${GRPC_STATIC_LIBRARIES} address_sorting upb cares re2 z)
  if(name MATCHES "^(atomic|rt|pthread|m|dl)$")
    continue()
  endif()
  find_library(GRPC_STATIC_${name} "lib${name}.a" REQUIRED)
  list(APPEND GUESTAGENT_GRPC_LIBRARIES "${GRPC_STATIC_${name}}")
endforeach()
list(REMOVE_DUPLICATES GUESTAGENT_GRPC_LIBRARIES)
find_path(GRPC_INCLUDE_DIR grpcpp/grpcpp.h REQUIRED)

# guestagent_proto(<name> FILES …): messages and services of the .proto files as a static library; its headers are
# included as <stem>.pb.h and <stem>.grpc.pb.h.
function(guestagent_proto name)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  file(MAKE_DIRECTORY "${directory}")
  set(sources)
  foreach(file ${ARG_FILES})
    get_filename_component(stem "${file}" NAME_WE)
    get_filename_component(from "${CMAKE_CURRENT_SOURCE_DIR}/${file}" DIRECTORY)
    set(made "${directory}/${stem}.pb.cc" "${directory}/${stem}.grpc.pb.cc")
    add_custom_command(
      OUTPUT ${made} "${directory}/${stem}.pb.h" "${directory}/${stem}.grpc.pb.h"
      COMMAND "${PROTOC}" "--proto_path=${from}" "--cpp_out=lite:${directory}" "--grpc_out=${directory}"
              "--plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN}" "${stem}.proto"
      DEPENDS "${file}" VERBATIM)
    list(APPEND sources ${made})
  endforeach()
  add_custom_target(guestagent_${name}_sources DEPENDS ${sources})  # clang-tidy needs these before any compilation
  add_library(guestagent_${name} STATIC ${sources})
  add_library(guestagent::${name} ALIAS guestagent_${name})
  target_include_directories(guestagent_${name} SYSTEM PUBLIC "${directory}" "${GRPC_INCLUDE_DIR}")
  target_link_libraries(guestagent_${name} PUBLIC
    -Wl,--start-group ${GUESTAGENT_GRPC_LIBRARIES} -Wl,--end-group Threads::Threads)
endfunction()
