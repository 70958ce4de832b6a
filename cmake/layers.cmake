# guestagent_library(<name> [FAST] SOURCES … USES …): one directory, one static library, its links spelled out.
# The alias guestagent::<name> is what other directories link; ./dev lint compares the links with the includes.
# FAST: on the path of the data. The shipped programs are optimised for size but for these (docs/adr/0026).
function(guestagent_library name)
  cmake_parse_arguments(ARG "FAST" "" "SOURCES;USES" ${ARGN})
  add_library(guestagent_${name} STATIC ${ARG_SOURCES})
  add_library(guestagent::${name} ALIAS guestagent_${name})
  target_include_directories(guestagent_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(guestagent_${name} PUBLIC ${ARG_USES} PRIVATE guestagent_warnings)
  guestagent_uses_asio(asio ${ARG_USES})
  if(asio)
    set_target_properties(guestagent_${name} PROPERTIES INTERFACE_GUESTAGENT_ASIO ON)
    if(NOT (ARG_FAST AND GUESTAGENT_HARDENING))  # the header would be compiled otherwise than its user
      guestagent_use_precompiled(guestagent_${name} asio)
    endif()
  endif()
  if(ARG_FAST AND GUESTAGENT_HARDENING)
    target_compile_options(guestagent_${name} PRIVATE -O2)
  endif()
endfunction()

# guestagent_program(<name> USES …): apps/<name>.cpp becomes the program <name>.
function(guestagent_program name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  add_executable(${name} ${name}.cpp)
  target_link_libraries(${name} PRIVATE ${ARG_USES} guestagent_warnings)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  guestagent_link_statically(${name})
endfunction()
