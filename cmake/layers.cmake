# guestagent_library(<name> SOURCES … USES …): one directory, one static library, its links spelled out.
# The alias guestagent::<name> is what other directories link; ./dev lint compares the links with the includes.
function(guestagent_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_library(guestagent_${name} STATIC ${ARG_SOURCES})
  add_library(guestagent::${name} ALIAS guestagent_${name})
  target_include_directories(guestagent_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(guestagent_${name} PUBLIC ${ARG_USES} PRIVATE guestagent_warnings)
  guestagent_uses_asio(asio ${ARG_USES})
  if(asio)
    set_target_properties(guestagent_${name} PROPERTIES INTERFACE_GUESTAGENT_ASIO ON)
    guestagent_use_precompiled(guestagent_${name} asio)
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
