# The shipped programs are static-pie: glibc and the C++ runtime included, no dynamic linker, no library of the system
# (docs/adr/0025). Builds for tests are dynamic, as the sanitizers need it.
#
# A static glibc loads no modules, so what needs them must not be called: names of hosts, services and users, and plug-ins.
# Libraries refer to some of these. --wrap leads their calls to src/os/absent_calls.cpp, which refuses them, and keeps
# glibc's own out of the program. scripts/check_static looks for the rest in each program that was linked.
set(guestagent_absent_calls
  dlopen getaddrinfo freeaddrinfo getnameinfo gethostbyname getservbyname getservbyport_r)
if(GUESTAGENT_HARDENING)
  add_library(guestagent_absent_calls OBJECT "${PROJECT_SOURCE_DIR}/src/os/absent_calls.cpp")
  target_link_libraries(guestagent_absent_calls PRIVATE guestagent_warnings)
endif()

# guestagent_link_statically(<program>)
function(guestagent_link_statically program)
  if(NOT GUESTAGENT_HARDENING)
    return()
  endif()
  target_link_libraries(${program} PRIVATE guestagent_absent_calls)
  list(TRANSFORM guestagent_absent_calls PREPEND "LINKER:--wrap=" OUTPUT_VARIABLE wraps)
  target_link_options(${program} PRIVATE -static-pie ${wraps})
  set(target)
  if(CMAKE_CROSSCOMPILING)
    set(target "--target=${CMAKE_CXX_COMPILER_TARGET}" "--sysroot=${CMAKE_SYSROOT}")
  endif()
  add_custom_command(TARGET ${program} POST_BUILD VERBATIM
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/check_static" "$<TARGET_FILE:${program}>" ${target})
endfunction()
