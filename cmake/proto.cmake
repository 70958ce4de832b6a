# gRPC and the small runtime of protobuf, from Debian's packages. Found by pkg-config's and CMake's own means: neither
# brings a CMake package that Debian's protobuf could satisfy.
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_library(GRPCXX_LIBRARY grpc++_unsecure REQUIRED)
find_library(GRPC_LIBRARY grpc_unsecure REQUIRED)
find_library(GPR_LIBRARY gpr REQUIRED)
find_library(PROTOBUF_LITE_LIBRARY protobuf-lite REQUIRED)
find_library(ABSL_SYNCHRONIZATION_LIBRARY absl_synchronization REQUIRED)
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
  add_library(guestagent_${name} STATIC ${sources})
  add_library(guestagent::${name} ALIAS guestagent_${name})
  target_include_directories(guestagent_${name} SYSTEM PUBLIC "${directory}" "${GRPC_INCLUDE_DIR}")
  target_link_libraries(guestagent_${name} PUBLIC
    "${GRPCXX_LIBRARY}" "${GRPC_LIBRARY}" "${GPR_LIBRARY}" "${PROTOBUF_LITE_LIBRARY}" "${ABSL_SYNCHRONIZATION_LIBRARY}"
    Threads::Threads)
endfunction()
